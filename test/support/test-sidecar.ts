/** A sidecar's control half: discovery and certificate, without a data plane. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BaseLogger } from 'pino';
import type { HelloPort } from '../../api/discovery.ts';
import { validateSnapshot } from '../../api/validate-snapshot.ts';
import { type Clock, systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { type Discovery, type DiscoveryOptions, startDiscovery } from '../../sidecar/discovery/discovery.ts';
import type { ValidateSnapshot } from '../../sidecar/discovery/snapshot-store.ts';
import { StateFolder } from '../../sidecar/discovery/state-folder.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { silent } from './back-half.ts';

export interface TestSidecarOptions {
  readonly stateDir: string;
  readonly controlPlanes: readonly string[];
  readonly caFile: string;
  /** '' : none. */
  readonly token: string;
  readonly service: string;
  readonly namespace?: string;
  readonly ports?: readonly HelloPort[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly advertise?: string;
  readonly upstreams?: readonly string[];
  readonly validate?: ValidateSnapshot;
  readonly clock?: Clock;
  readonly log?: BaseLogger;
  readonly inUse?: DiscoveryOptions['inUse'];
}

export interface TestSidecar extends AsyncDisposable {
  readonly discovery: Discovery;
  readonly certificates: CertificateStore;
}

export const startTestSidecar = (options: TestSidecarOptions): TestSidecar => {
  const { stateDir, service, namespace = 'default', clock = systemClock, log = silent } = options;
  const folder = new StateFolder(stateDir);
  const tokenFile = options.token === '' ? '' : join(stateDir, 'token');
  if (tokenFile !== '') writeFileSync(tokenFile, `${options.token}\n`, { mode: 0o600 });
  const certificates = new CertificateStore({ clock, stateDir });
  const discovery = startDiscovery({
    folder,
    validate: options.validate ?? validateSnapshot,
    controlPlanes: options.controlPlanes,
    namespace,
    serviceAccount: service,
    tokenFile,
    caFile: options.caFile,
    certificates,
    description: {
      release: '0.1.0',
      service,
      ports: options.ports ?? [],
      labels: options.labels ?? {},
      locality: '',
      advertise: localAddress => options.advertise ?? `${localAddress}:15006`,
      health: () => ({ ready: true, health: 'Healthy' }),
    },
    upstreams: options.upstreams ?? [],
    inUse: options.inUse ?? (() => false),
    clock,
    random: systemRandom,
    log,
  });
  return {
    discovery,
    certificates,
    async [Symbol.asyncDispose]() {
      await discovery[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
};

/** Looks again until it holds. For tests on real sockets only. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> => {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};

/** The answer to a lookup, asking where it is not known. */
export const resolve = async (discovery: Discovery, target: string): Promise<string> => {
  const answer = discovery.lookup(target);
  if (answer !== 'unknown') return answer;
  // The sidecar's own timers do not keep a process alive.
  const alive = setInterval(() => {}, 1_000);
  const result = await new Promise<string>(done => discovery.wait(target, done));
  clearInterval(alive);
  return result;
};
