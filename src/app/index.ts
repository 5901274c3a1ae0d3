/**
 * app: the composition root. Creates every part, joins them, starts them in order and stops them in
 * reverse; supervises the edge workers. Holds no rules of its own.
 */
export { type Environment, type RunningApp, startApp } from './app.ts'
export { type DemoServer, type DemoServerSettings, startDemoServer } from './demo-server.ts'
export { AppStartError } from './errors.ts'
export { loadDoctorChecks } from './load-doctor.ts'
export { type ServeDeps, serve } from './serve.ts'
