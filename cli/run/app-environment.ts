import { type Address, formatAddress } from '../../sidecar/config.ts';

/** Where the sidecar takes the app's calls. */
export interface Ways {
  readonly outbound: Address;
  /** By the name of the service. */
  readonly upstreams: ReadonlyMap<string, Address>;
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/**
 * What an app is given so that its calls go through the sidecar: the proxy variables that HTTP clients and gRPC libraries know (TLS is the app's
 * own affair, so not `HTTPS_PROXY`), Node's switch for them, and one variable for each upstream. Loopback stays direct.
 */
export const appEnvironment = (env: NodeJS.ProcessEnv, { outbound, upstreams }: Ways): NodeJS.ProcessEnv => {
  const proxy = `http://${formatAddress(outbound)}`;
  const given = (env.no_proxy || env.NO_PROXY || '').split(',').map(host => host.trim());
  const direct = [...new Set([...given.filter(host => host !== ''), ...LOOPBACK])].join(',');
  const result: NodeJS.ProcessEnv = {
    ...env,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    grpc_proxy: proxy,
    NO_PROXY: direct,
    no_proxy: direct,
    NODE_USE_ENV_PROXY: '1',
  };
  for (const [service, address] of upstreams) result[upstreamVariable(service)] = formatAddress(address);
  return result;
};

/** `OUTRIDER_UPSTREAM_<NAME>`: upper case; every other character than A-Z and 0-9 is `_`. */
export const upstreamVariable = (service: string): string =>
  `OUTRIDER_UPSTREAM_${service.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
