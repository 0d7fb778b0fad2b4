/** The Workload and the Sidecar object that a connected sidecar has. Pure. */
import type { Sidecar } from '../../api/sidecar.ts';
import type { Workload } from '../../api/workload.ts';
import type { SidecarSession } from '../push/sidecar-session.ts';

/** `<service or service account>-<instance>`: the name of both. */
export const sidecarName = ({ hello, peer }: SidecarSession): string =>
  `${hello?.service || peer.serviceAccount}-${hello?.instance ?? ''}`;

/** Undefined for a sidecar that only calls. */
export const registeredWorkload = ({ hello, peer, report }: SidecarSession, name: string): Workload | undefined => {
  if (hello === undefined || hello.service === '' || hello.ports.length === 0) return undefined;
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
    status: { health: report?.health ?? hello.health ?? 'Healthy', sidecar: name },
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
