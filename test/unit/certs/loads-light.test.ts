import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const FACE = new URL('../../../src/certs/index.ts', import.meta.url).href

it('an edge worker loads no node-forge with the certificates', () => {
  const program = `
    const { default: module } = await import('node:module')
    const isLoaded = () => Object.keys(module._cache).some((path) => path.includes('node-forge'))
    await import(${JSON.stringify(FACE)})
    const before = isLoaded()
    await import('node-forge')
    console.log(JSON.stringify([before, isLoaded()]))`
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program])
  // The second shows that it would have been seen.
  expect(JSON.parse(said.toString())).toEqual([false, true])
})
