import type { Reporter, TestModule } from 'vitest/node'

/**
 * Names what was skipped, and ends a run with one line that scripts can read: `12 passed, 0 failed`.
 */
export default class PlainLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    const skipped: string[] = []
    for (const module of modules) {
      const before = failed
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        if (state === 'failed') failed += 1
        if (state === 'skipped') skipped.push(test.fullName)
      }
      // A file that does not load, or a hook that throws, has no failed test of its own.
      if (module.state() === 'failed' && failed === before) failed += 1
    }
    // On exit, so that it comes after the default reporter's summary and the coverage report.
    process.once('exit', () => {
      for (const name of skipped) process.stdout.write(`skipped: ${name}\n`)
      process.stdout.write(`${passed} passed, ${failed} failed\n`)
    })
  }
}
