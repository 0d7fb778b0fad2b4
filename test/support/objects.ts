/** Stored objects with the defaults that admission gives, for tests of translation. */

import type { GrpcRoute, GrpcRouteRule } from '../../api/grpc-route.ts';
import type { HttpRoute, HttpRouteRule } from '../../api/http-route.ts';
import type { Stored, StoredMeta } from '../../api/object.ts';
import type { PeerAuthentication, PeerAuthenticationSpec } from '../../api/peer-authentication.ts';
import type { ReferenceGrant } from '../../api/reference-grant.ts';
import type { ParentReference } from '../../api/route-parts.ts';
import type { RpcRoute, RpcRouteRule } from '../../api/rpc-route.ts';
import type { Service, ServiceSpec } from '../../api/service.ts';
import type { TrafficPolicy, TrafficPolicySpec } from '../../api/traffic-policy.ts';
import type { Workload, WorkloadSpec } from '../../api/workload.ts';
import { Translator } from '../../control-plane/translate/translator.ts';

export const meta = (name: string, namespace = 'shop', more: Partial<StoredMeta> = {}): StoredMeta => ({
  name,
  namespace,
  uid: `${namespace}/${name}`,
  resourceVersion: '1',
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00Z',
  ...more,
});

export const service = (name: string, spec: Partial<ServiceSpec> = {}, namespace = 'shop'): Stored<Service> => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name, namespace),
  spec: { type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }], ...spec },
});

export const workload = (
  name: string,
  spec: Partial<WorkloadSpec> = {},
  more: {
    readonly labels?: Record<string, string>;
    readonly status?: Workload['status'];
    readonly namespace?: string;
  } = {},
): Stored<Workload> => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'Workload',
  metadata: meta(name, more.namespace, more.labels ? { labels: more.labels } : {}),
  spec: {
    address: '10.0.0.1',
    ports: [{ name: 'http', port: 8080, protocol: 'http' }],
    serviceAccount: 'web',
    sidecarPort: 15006,
    weight: 1,
    ...spec,
  },
  ...(more.status ? { status: more.status } : {}),
});

type Parent = Partial<ParentReference> & { readonly name: string };
const parents = (list: readonly Parent[]): readonly ParentReference[] =>
  list.map(parent => ({ group: '', kind: 'Service', ...parent }));

export const httpRoute = (
  name: string,
  parent: Parent | readonly Parent[],
  rules: readonly HttpRouteRule[],
  more: Partial<StoredMeta> = {},
): Stored<HttpRoute> => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: meta(name, more.namespace, more),
  spec: { parentRefs: parents([parent].flat()), rules },
});

export const grpcRoute = (
  name: string,
  parent: Parent,
  rules: readonly GrpcRouteRule[],
  more: Partial<StoredMeta> = {},
): Stored<GrpcRoute> => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GRPCRoute',
  metadata: meta(name, more.namespace, more),
  spec: { parentRefs: parents([parent]), rules },
});

export const rpcRoute = (name: string, parent: Parent, rules: readonly RpcRouteRule[]): Stored<RpcRoute> => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'RPCRoute',
  metadata: meta(name, undefined, {}),
  spec: { parentRefs: parents([parent]), rules },
});

export const grant = (namespace: string, from: string, kind = 'HTTPRoute', name?: string): Stored<ReferenceGrant> => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'ReferenceGrant',
  metadata: meta(`from-${from}`, namespace),
  spec: {
    from: [{ group: 'gateway.networking.k8s.io', kind, namespace: from }],
    to: [{ group: '', kind: 'Service', ...(name === undefined ? {} : { name }) }],
  },
});

export const policy = (
  name: string,
  spec: TrafficPolicySpec,
  namespace = 'shop',
  more: Partial<StoredMeta> = {},
): Stored<TrafficPolicy> => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'TrafficPolicy',
  metadata: meta(name, namespace, more),
  spec,
});

export const peerAuthentication = (
  name: string,
  spec: PeerAuthenticationSpec,
  more: Partial<StoredMeta> = {},
): Stored<PeerAuthentication> => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'PeerAuthentication',
  metadata: meta(name, more.namespace, more),
  spec,
});

export const backend = (name: string, weight = 1, port = 80) =>
  ({ group: '', kind: 'Service', name, port, weight }) as const;

export const prefix = (value: string) => ({ path: { type: 'PathPrefix' as const, value } });
export const exact = (value: string) => ({ path: { type: 'Exact' as const, value } });

/** A translator that has seen these objects. */
export const translatorOf = (...objects: readonly Stored[]): Translator => {
  const translator = new Translator('mesh.local');
  for (const object of objects) translator.apply({ type: 'ADDED', object });
  return translator;
};
