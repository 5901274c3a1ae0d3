import type { Config } from '../config/index.ts'
import { dataDirectory } from '../store/index.ts'

/** The folder where a server with this configuration leaves what local commands need. */
export function dataDirectoryOf({ store }: Config): string {
  return dataDirectory(store)
}
