/** A route of any kind, and the keys by which services are known everywhere in translation and push. */
import { INSTANCE_SUFFIX } from '../../api/discovery.ts';
import type { GrpcRoute } from '../../api/grpc-route.ts';
import type { HttpRoute } from '../../api/http-route.ts';
import type { Stored } from '../../api/object.ts';
import type { RpcRoute } from '../../api/rpc-route.ts';

export type Route = Stored<HttpRoute> | Stored<GrpcRoute> | Stored<RpcRoute>;

/** `service.namespace` */
export const serviceKey = (name: string, namespace: string): string => `${name}.${namespace}`;

/** The key of the view of one workload by its address. */
export const instanceKey = (workload: string, namespace: string): string =>
  `${workload}${INSTANCE_SUFFIX}.${namespace}`;
