import type { z } from 'zod'
import { acmeOptions } from '../acme/options.ts'
import { apiOptions } from '../api/options.ts'
import { edgeOptions } from '../edge/options.ts'
import { eventsOptions } from '../events/options.ts'
import { lifecycleOptions } from '../lifecycle/options.ts'
import { netOptions } from '../net/options.ts'
import { storeOptions } from '../store/options.ts'
import { logOptions } from '../telemetry/options.ts'
import { vaultOptions } from '../vault/options.ts'

/** Every part that has options, by the name its options begin with. To add a part: one line. */
export const CONFIG_PARTS = {
  store: storeOptions,
  vault: vaultOptions,
  edge: edgeOptions,
  acme: acmeOptions,
  api: apiOptions,
  net: netOptions,
  lifecycle: lifecycleOptions,
  events: eventsOptions,
  log: logOptions,
}

/** What `postern.yaml`, environment and flags come to: each part's options, parsed. */
export type Config = {
  readonly [Part in keyof typeof CONFIG_PARTS]: z.output<(typeof CONFIG_PARTS)[Part]>
}
