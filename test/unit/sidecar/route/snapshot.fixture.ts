/** Snapshots for tests: everything that a test does not care about has a plain value. */
import {
  DEFAULT_POLICY,
  type EndpointView,
  type PortView,
  type RouteView,
  type ServiceView,
  SNAPSHOT_FORMAT,
  type Snapshot,
} from '../../../../api/snapshot.ts';

export const endpointView = (address: string, view: Partial<EndpointView> = {}): EndpointView => ({
  address,
  identity: 'spiffe://mesh.local/ns/default/sa/app',
  ports: { '80': 8_080 },
  weight: 1,
  workload: 'app-1',
  labels: {},
  locality: '',
  ...view,
});

export const portView = (port: number, view: Partial<PortView> = {}): PortView => ({
  port,
  name: '',
  protocol: 'http',
  routes: [],
  policy: DEFAULT_POLICY,
  ...view,
});

export const serviceView = (name: string, view: Partial<ServiceView> = {}): ServiceView => ({
  name,
  namespace: 'default',
  addresses: [],
  ports: [portView(80)],
  endpoints: [],
  ...view,
});

export const routeView = (view: Partial<RouteView> = {}): RouteView => ({
  name: 'default/route/0',
  matches: [],
  filters: [],
  backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...view,
});

export const snapshotOf = (...services: readonly ServiceView[]): Snapshot => ({
  format: SNAPSHOT_FORMAT,
  configVersion: '1',
  endpointVersion: '1',
  trustDomain: 'mesh.local',
  outboundPolicy: 'REGISTRY_ONLY',
  services,
});
