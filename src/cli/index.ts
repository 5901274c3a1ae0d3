/**
 * cli: commands and output. Reads a command line, talks to the running server over the native API,
 * and says what came of it: a table for people or JSON for programs, and an exit code. What needs
 * the parts themselves (serve, demo, doctor's checks) is handed in through `CliPorts`.
 */
export { runDemo } from './demo/demo.ts'
export type { DoctorCheck, Finding } from './doctor/doctor-check.ts'
export type { CliPorts, DemoOptions } from './ports.ts'
export { runCli } from './run-cli.ts'
