import { describeEachEngine } from '../support/stores.ts'
import { describeStore } from './store.suite.ts'

describeEachEngine(describeStore)
