import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ApiError } from '../errors.ts'
import type { ApiPorts, KeysView } from '../ports.ts'
import {
  errorSchema,
  keyStatusSchema,
  rotatedKeysSchema,
  rotateKeysBody,
  type WireKeyStatus,
} from './contract.ts'

/** The master keys, and the move of all secrets from one to another. */
export function keyRoutes({ keys }: Pick<ApiPorts, 'keys'>): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/keys',
      {
        schema: {
          operationId: 'showKeys',
          summary: 'Master keys, how many secrets rest under each, and how far a rotation is',
          response: { 200: keyStatusSchema, default: errorSchema },
        },
      },
      async () => keysToWire(await keys.status()),
    )
    app.post(
      '/keys/rotate',
      {
        schema: {
          operationId: 'rotateKeys',
          summary: 'Moves all secrets to the first key of vault.key, or to a new one',
          description: 'Goes on in the background; `GET /keys` shows how far it is.',
          body: rotateKeysBody,
          response: { 202: rotatedKeysSchema, default: errorSchema },
        },
      },
      async (request, reply) => {
        const outcome = await keys.rotate({ retireOld: request.body?.retireOld ?? false })
        if (outcome.kind === 'refused') {
          const { code, sentence, fix } = outcome.refusal
          throw new ApiError(code, sentence, { fix })
        }
        const status = keysToWire(await keys.status())
        return reply.code(202).send({ outcome: outcome.kind, ...status })
      },
    )
    done()
  }
}

function keysToWire({ keys, rotation }: KeysView): WireKeyStatus {
  return {
    keys: keys.map(({ keyId, use, secrets, source }) => ({
      ...{ keyId, use, secrets },
      current: use === 'seals',
      source: source ?? null,
    })),
    rotation: rotation
      ? {
          toKeyId: rotation.toKeyId,
          startedAt: rotation.startedAt.toISOString(),
          updatedAt: rotation.updatedAt.toISOString(),
          finishedAt: rotation.finishedAt?.toISOString() ?? null,
          total: rotation.total,
          done: rotation.done,
          left: rotation.left,
          unreadable: rotation.unreadable,
          retireOld: rotation.retireOld,
          waitsFor: rotation.waitsFor ?? null,
          problem: rotation.problem ?? null,
        }
      : null,
  }
}
