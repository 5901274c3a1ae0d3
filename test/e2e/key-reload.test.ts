import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { eventually, runPostern, startPostern } from '../support/postern.ts'

const line = (byte: number): string => `${Buffer.alloc(32, byte).toString('base64')}\n`

it('SIGHUP takes another master key into use, refuses a wrong one, and a rotation needs neither restart nor patience', async () => {
  await using postern = await startPostern({ settings: { 'edge.workers': 2 } })
  const { child, directory, apiUrl, adminKey } = postern
  const file = join(directory, 'master.key')
  const first = await readFile(file, 'utf8')
  const keys = async () => (await postern.api('/keys')).body.keys
  const [{ keyId: firstId, secrets }] = await keys()
  expect(secrets).toBeGreaterThan(0)

  await writeFile(file, line(9))
  child.kill('SIGHUP')
  const output = async () => postern.output()
  await eventually(output, (text) => /configuration-refused.*vault\/wrong-key/.test(text))
  expect(await keys()).toMatchObject([{ keyId: firstId, use: 'seals' }])

  await writeFile(file, `${line(2)}${first}`)
  child.kill('SIGHUP')
  await eventually(output, (text) => /"event":"configuration-reloaded","keys":"changed"/.test(text))
  expect(await keys()).toMatchObject([
    { use: 'seals', secrets: 0 },
    { keyId: firstId, secrets },
  ])

  const env = { POSTERN_API_URL: apiUrl, POSTERN_API_KEY: adminKey }
  const end = await runPostern(['key', 'rotate', '--retire-old'], {}, { env })
  expect(end).toMatchObject({ code: 0 })
  expect(end.stdout).toMatch(/^\d+ secrets? rests? under key [0-9a-f]{16} now\./)
  expect(await readFile(file, 'utf8')).toBe(line(2))
  expect(await keys()).toMatchObject([{ use: 'seals', secrets }])
  expect((await postern.stop()).code).toBe(0)

  await using again = await startPostern({ directory })
  expect((await again.api('/keys')).body.keys).toMatchObject([{ use: 'seals', secrets }])
}, 240_000)
