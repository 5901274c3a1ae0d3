import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // By default one process less than there are cores. Most tests wait for other programs.
    maxWorkers: 3,
    reporters: ['default', './.config/plain-line-reporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        // Decisions are covered to the last branch; for the rest a number would only be a game.
        'src/**/{*-plan,circuit,host,preflight,signed-link,budget,ca-choice,urgency,fair-rank,regular-look,judge-claim}.ts':
          {
            statements: 100,
            branches: 100,
            functions: 100,
            lines: 100,
          },
      },
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/*.test.ts'],
          // No module of ours keeps state, so files can share them: a fifth of the time.
          isolate: false,
          // Properties are tried thousands of times, and the other projects want the cores, too.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'contract',
          globalSetup: ['.config/get-pebble.ts'],
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          // After the others: each of these starts the whole program, and some measure patience.
          sequence: { groupOrder: 1 },
          globalSetup: ['.config/get-pebble.ts'],
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
