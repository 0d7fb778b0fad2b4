/** The shop: who is in it, and the routes between them. */
import type { ApiObject } from '../../api/object.ts';

export interface Member {
  /** Its service in the mesh. */
  readonly service: string;
  /** File name of its program. */
  readonly program: string;
  /** '' : it only calls others. */
  readonly protocol: 'http' | 'grpc' | 'thrift' | 'hessian' | 'tcp' | '';
  readonly version: string;
  /** Services that it calls by a local port, since their clients know no proxy. */
  readonly upstreams: readonly string[];
}

const member = (service: string, protocol: Member['protocol'], more: Partial<Member> = {}): Member => ({
  service,
  program: service,
  protocol,
  version: '',
  upstreams: [],
  ...more,
});

/** Three tiers behind the shoppers. */
export const SERVICES: readonly Member[] = [
  member('inventory', 'grpc'),
  member('payments', 'http'),
  member('ratings', 'thrift'),
  member('points', 'hessian'),
  member('journal', 'tcp'),
  member('orders', 'grpc', { upstreams: ['journal'] }),
  member('catalog-v1', 'http', { program: 'catalog', version: 'v1', upstreams: ['ratings'] }),
  member('catalog-v2', 'http', { program: 'catalog', version: 'v2', upstreams: ['ratings'] }),
  member('storefront', 'http'),
];
export const SHOPPER: Member = member('shopper', '');

const ROUTES = 'gateway.networking.k8s.io/v1';
const namespace = 'default';

const service = (name: string, targetPort?: number): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { ports: [{ port: 80, appProtocol: 'http', ...(targetPort === undefined ? {} : { targetPort }) }] },
});

const route = (parent: string, rule: object): ApiObject => ({
  apiVersion: ROUTES,
  kind: 'HTTPRoute',
  metadata: { name: parent, namespace },
  spec: { parentRefs: [{ group: '', kind: 'Service', name: parent }], rules: [rule] },
});

/** What is declared: `catalog` in two versions, and that a 503 of `payments` is tried again. The rest is there because it runs. */
export const objectsOfShop = (portOf: (service: string) => number): readonly ApiObject[] => [
  service('catalog'),
  service('catalog-v1', portOf('catalog-v1')),
  service('catalog-v2', portOf('catalog-v2')),
  service('payments', portOf('payments')),
  route('catalog', {
    backendRefs: [
      { name: 'catalog-v1', port: 80, weight: 80 },
      { name: 'catalog-v2', port: 80, weight: 20 },
    ],
  }),
  route('payments', {
    retry: { attempts: 3, codes: [503], backoff: '10ms' },
    backendRefs: [{ name: 'payments', port: 80 }],
  }),
];
