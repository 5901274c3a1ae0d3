import { it } from 'vitest'
import { tellOfOneDeadReceiver } from '../contract/events/fairness-story.ts'

it('does not let one dead receiver of a hundred delay the others: 10,000 events', () =>
  tellOfOneDeadReceiver(10_000))
