import { defineConfig } from 'vitest/config'

/** The long forms of the fault tests: `npm run torture`, or `npm run torture -- kill` for one of them. */
export default defineConfig({
  test: {
    reporters: ['verbose', './.config/plain-line-reporter.ts'],
    include: ['test/torture/**/*.test.ts'],
    globalSetup: ['.config/get-pebble.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 180_000,
    fileParallelism: false,
  },
})
