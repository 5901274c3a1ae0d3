/**
 * api: the native API (`/api/v1`), health, readiness and metrics over HTTP. It parses, asks the
 * parts behind its ports, and turns their answers and errors into JSON; it decides nothing.
 */
export type {
  AcmePort,
  ApiPorts,
  CertificatesPort,
  CertificateView,
  HealthPort,
  HistoryView,
  HitsPort,
  HitView,
  HostLifePort,
  HostsPort,
  HostView,
  KeysPort,
  LinksPort,
  Page,
  PageRequest,
} from './ports.ts'
export { type ApiServer, type ApiServerDeps, createApiServer } from './server.ts'
