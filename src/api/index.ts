/**
 * api: the native API (`/api/v1`), health, readiness and metrics over HTTP. It parses, asks the
 * parts behind its ports, and turns their answers and errors into JSON; it decides nothing.
 */
export {
  acmeStatusSchema,
  keyStatusSchema,
  type WireAcmeStatus,
  type WireKeyStatus,
  webhooksStatusSchema,
} from './native/contract.ts'
export type {
  AccountsPort,
  AccountView,
  AcmePort,
  AcmeView,
  ApiPorts,
  AuthorityView,
  BroughtCertificate,
  BudgetView,
  CertificatesPort,
  CertificateUpload,
  CertificateView,
  EventsPort,
  EventView,
  ForecastView,
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
  QueuedView,
  Revocation,
  WebhooksPort,
  WebhooksView,
  WebhookTestView,
  WebhookView,
} from './ports.ts'
export { type ApiServer, type ApiServerDeps, createApiServer } from './server.ts'
