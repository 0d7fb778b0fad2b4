/** The Workload and the Sidecar object that a connected sidecar has. Pure. */
import type { Report } from '../../api/discovery.ts';
import type { Condition } from '../../api/object.ts';
import type { Sidecar } from '../../api/sidecar.ts';
import type { Workload } from '../../api/workload.ts';
import type { SidecarSession } from '../push/sidecar-session.ts';

/** `<service or service account>-<instance>`: the name of both. */
export const sidecarName = ({ hello, peer }: SidecarSession): string =>
  `${hello?.service || peer.serviceAccount}-${hello?.instance ?? ''}`;

/** Undefined for a sidecar that only calls, and for one that does not know yet whether its app can serve. `before`: what its Workload was; `now`: RFC 3339. */
export const registeredWorkload = (
  { hello, peer, report }: SidecarSession,
  name: string,
  before: Workload | undefined,
  now: string,
): Workload | undefined => {
  if (hello === undefined || hello.service === '' || hello.ports.length === 0) return undefined;
  const health = report?.health ?? hello.health ?? 'Healthy';
  if (health === 'Starting' && before === undefined) return undefined;
  const colon = hello.advertise.lastIndexOf(':');
  return {
    apiVersion: 'outrider.mesh/v1',
    kind: 'Workload',
    metadata: {
      name,
      namespace: peer.namespace,
      ...(Object.keys(hello.labels).length > 0 ? { labels: hello.labels } : {}),
    },
    spec: {
      address: hello.advertise.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
      ports: hello.ports,
      service: hello.service,
      serviceAccount: peer.serviceAccount,
      sidecarPort: Number(hello.advertise.slice(colon + 1)),
      ...(hello.locality === '' ? {} : { locality: hello.locality }),
      weight: 1,
    },
    status: {
      health: health === 'Starting' ? 'Unhealthy' : health,
      sidecar: name,
      ...conditionsOf(report, before, now),
    },
  };
};

/** Until it reports, what its last connection said stands. */
const conditionsOf = (report: Report | undefined, before: Workload | undefined, now: string) => {
  const conditions = report ? [healthyCondition(report, before, now)] : before?.status?.conditions;
  return conditions ? { conditions } : {};
};

/** Whether the app can serve, and if not, why. */
const healthyCondition = ({ health, reason = '' }: Report, before: Workload | undefined, now: string): Condition => {
  const status = health === 'Healthy' ? 'True' : 'False';
  const old = before?.status?.conditions?.find(({ type }) => type === 'Healthy');
  return {
    type: 'Healthy',
    status,
    reason: health === 'Healthy' ? 'CanServe' : health === 'Draining' ? 'Draining' : 'CannotServe',
    message: reason || (health === 'Healthy' ? 'The app can serve.' : 'The sidecar does not say why.'),
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
  };
};

export const sidecarObject = (session: SidecarSession, name: string): Sidecar => {
  const { hello, peer, report } = session;
  return {
    apiVersion: 'outrider.mesh/v1',
    kind: 'Sidecar',
    metadata: { name, namespace: peer.namespace },
    spec: { service: hello?.service ?? '', serviceAccount: peer.serviceAccount, identity: peer.identity },
    status: {
      state: session.state,
      peer: peer.address,
      release: hello?.release ?? '',
      ready: report?.ready ?? false,
      connectedAt: new Date(session.connectedAtMs).toISOString(),
      sent: session.sent,
      acked: session.acked,
      ackedAt: session.ackedAtMs === 0 ? '' : new Date(session.ackedAtMs).toISOString(),
      ...(session.refused ? { refused: session.refused } : {}),
      certificateExpiresAt: new Date(report?.certificateExpiresAtMs ?? peer.certificateExpiresAtMs).toISOString(),
      clockSkewMs: report?.clockSkewMs ?? 0,
      subscriptions: [...session.subscriptions].sort(),
    },
  };
};
