/** How a sidecar knows the control plane: by its SPIFFE id, wherever it is reached. */
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { readSpiffeId } from '../../certs/verify-svid.ts';

/** Path of the control plane's id. Who may make tokens for that service account is an administrator of the mesh anyway. */
const CONTROL_PLANE_PATH = '/ns/outrider-system/sa/control-plane';

export interface ControlPlaneTls {
  /** PEM bundle that its certificate must chain to. */
  readonly trustBundlePem: string;
  /** What we show; absent before the first certificate. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

export const controlPlaneTls = (material: ControlPlaneTls) => ({
  ca: material.trustBundlePem,
  ...(material.certificatePem && material.keyPem ? { cert: material.certificatePem, key: material.keyPem } : {}),
  minVersion: 'TLSv1.3' as const,
  checkServerIdentity,
});

const checkServerIdentity = (_host: string, { raw }: PeerCertificate): Error | undefined => {
  const id = readSpiffeId(new X509Certificate(raw));
  if ('reason' in id) return new Error(id.sentence);
  return id.path === CONTROL_PLANE_PATH ? undefined : new Error(`${id.uri} is not a control plane.`);
};
