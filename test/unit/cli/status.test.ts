import t from 'tap';
import type { Stored } from '../../../api/object.ts';
import type { Sidecar, SidecarStatus } from '../../../api/sidecar.ts';
import { statusJson, statusTable } from '../../../cli/status.ts';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();

const STATUS: SidecarStatus = {
  state: 'Synced',
  peer: '127.0.0.1:4000',
  release: '1.0.0',
  ready: true,
  connectedAt: at(-60_000),
  sent: { config: '7', endpoints: '9' },
  acked: { config: '7', endpoints: '9' },
  ackedAt: at(-5_400),
  certificateExpiresAt: at(23 * 3_600_000),
  clockSkewMs: 12,
  subscriptions: [],
};

const sidecar = (name: string, status: Partial<SidecarStatus> | undefined, service = 'web'): Stored<Sidecar> => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'Sidecar',
  metadata: { name, namespace: 'shop', uid: '', resourceVersion: '1', generation: 1, creationTimestamp: at(0) },
  spec: { service, serviceAccount: service, identity: `spiffe://mesh.local/ns/shop/sa/${service}` },
  ...(status === undefined ? {} : { status: { ...STATUS, ...status } }),
});

t.test('a line for each sidecar says what it has, or why not', async t => {
  const refused = { config: '8', endpoints: '9', path: 'services[0]', reason: 'must have a name', at: at(0) };
  const lines = statusTable(
    [
      sidecar('web-1', {}),
      sidecar('web-2', { state: 'Refused', refused, clockSkewMs: -45_000 }),
      sidecar('job-1', { certificateExpiresAt: at(-1), ackedAt: '' }, ''),
      sidecar('new-1', undefined),
    ],
    NOW,
  ).split('\n');
  t.match(lines[0], /^NAMESPACE +NAME +SERVICE +STATE +CONFIG +CONFIG-AGE +CERTIFICATE +CLOCK-SKEW +REASON$/);
  t.match(lines[1], /^shop +web-1 +web +Synced +7 +5s +23h left +\+0/);
  t.match(lines[2], /^shop +web-2 +web +Refused .*-45s \(too much\) +services\[0\]: must have a name$/);
  t.match(lines[3], /^shop +job-1 +- +Synced +7 +- +expired /);
  t.match(lines[4], /^shop +new-1 +web +Disconnected +- +- +- /);
  t.equal(statusTable([], NOW), 'no sidecar is connected\n');
});

t.test('JSON has milliseconds, and null where there is nothing', async t => {
  const { sidecars } = JSON.parse(statusJson([sidecar('a', {}), sidecar('b', undefined)], NOW)) as {
    sidecars: readonly object[];
  };
  t.match(sidecars[0], {
    namespace: 'shop',
    name: 'a',
    state: 'Synced',
    configVersion: '7',
    configAgeMs: 5_400,
    certificateLeftMs: 23 * 3_600_000,
    clockSkewMs: 12,
    reason: '',
  });
  t.match(sidecars[1], { state: 'Disconnected', configAgeMs: null, certificateLeftMs: null });
});
