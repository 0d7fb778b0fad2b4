/** A data plane in this process, whose connections may have been redirected: the test says where they were going, in place of the kernel. */
import type { Snapshot } from '../../api/snapshot.ts';
import { systemClock } from '../../common/clock.ts';
import { createLogger } from '../../common/logger.ts';
import { Watched } from '../../common/watch.ts';
import { type Address, readConfig } from '../../sidecar/config.ts';
import { indexServices } from '../../sidecar/discovery/service-index.ts';
import { SubscriptionKeys } from '../../sidecar/discovery/subscription-key.ts';
import { SidecarProxy } from '../../sidecar/proxy.ts';
import { AccessLog } from '../../sidecar/telemetry/access-log.ts';
import { Metrics } from '../../sidecar/telemetry/metrics.ts';
import { storeWith } from './mtls-peers.ts';
import type { KeyedCertificate, TestMesh } from './peer-certificates.ts';
import { parseSamples, type Sample } from './prometheus-text.ts';

export const EMPTY_SNAPSHOT: Snapshot = {
  format: 1,
  configVersion: '1',
  endpointVersion: '1',
  trustDomain: 'mesh.local',
  outboundPolicy: 'REGISTRY_ONLY',
  services: [],
};

export interface RedirectedSidecarOptions {
  readonly mesh: TestMesh;
  readonly svid: KeyedCertificate;
  readonly snapshot?: Snapshot;
  /** `OUTRIDER_APP_PORTS`. */
  readonly appPorts?: string;
}

export interface RedirectedSidecar extends AsyncDisposable {
  readonly snapshots: Watched<Snapshot>;
  readonly inbound: number;
  readonly outbound: number;
  /** Where the next connections were going; undefined: to us. */
  goingTo: Address | undefined;
  /** The access log. */
  readonly lines: readonly string[];
  samples(): Promise<Sample[]>;
}

export const startRedirectedSidecar = async (options: RedirectedSidecarOptions): Promise<RedirectedSidecar> => {
  const snapshots = new Watched(options.snapshot ?? EMPTY_SNAPSHOT);
  const keys = new SubscriptionKeys('default');
  const lookup = (target: string) =>
    indexServices(snapshots.value).has(keys.of(target) ?? '') ? 'known' : 'not-in-mesh';
  const read = readConfig({
    OUTRIDER_SERVICE: 'web',
    OUTRIDER_APP_PORTS: options.appPorts ?? '',
    OUTRIDER_INBOUND: '127.0.0.1:0',
    OUTRIDER_OUTBOUND: '127.0.0.1:0',
    OUTRIDER_INTERCEPTION: 'redirect',
  });
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  const metrics = new Metrics({ clock: systemClock, build: { version: '0', nodeVersion: process.version } });
  const lines: string[] = [];
  const state: { goingTo: Address | undefined } = { goingTo: undefined };
  const proxy = new SidecarProxy({
    config: read.config,
    version: '0.1.0',
    discovery: {
      snapshots,
      lookup,
      wait: (target, callback) => {
        callback(lookup(target));
        return () => {};
      },
    },
    identities: storeWith(options.mesh, options.svid),
    metrics,
    accessLog: new AccessLog('all', { write: line => void lines.push(line) }),
    log: createLogger('silent', { write: () => {} }),
    clock: systemClock,
    random: Math.random,
    originalDestination: () => state.goingTo,
  });
  await proxy.listen();
  const portOf = (name: string): number => proxy.listeners.find(each => each.name === name)?.address.port ?? 0;
  return {
    snapshots,
    inbound: portOf('inbound'),
    outbound: portOf('outbound'),
    get goingTo() {
      return state.goingTo;
    },
    set goingTo(to) {
      state.goingTo = to;
    },
    lines,
    samples: async () => parseSamples((await Array.fromAsync(metrics.expose('text'))).join('')),
    [Symbol.asyncDispose]: async () => {
      proxy.close();
      await metrics[Symbol.asyncDispose]();
    },
  };
};
