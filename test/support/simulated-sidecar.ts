/** A sidecar as the control plane sees it: a stream that confirms what it gets, and counts. */
import { HEARTBEAT_MS, type Update } from '../../api/discovery.ts';
import { parseServerMessage } from '../../api/parse-discovery.ts';
import type { CertificateAuthority } from '../../certs/certificate-authority.ts';
import { createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { ControlPlaneStream } from '../../sidecar/discovery/control-plane-stream.ts';
import type { ControlPlaneTls } from '../../sidecar/discovery/control-plane-tls.ts';

export interface SimulatedSidecar {
  readonly stream: ControlPlaneStream;
  readonly updates: Update[];
  /** Called with each complete update, after it was confirmed. */
  onUpdate: (update: Update) => void;
  /** False: updates are read and never confirmed. */
  confirms: boolean;
  closedBecause: string;
  /** What the control plane said when it ended the stream. */
  refusal: string;
}

export interface SimulatedOptions {
  readonly url: string;
  readonly tls: ControlPlaneTls;
  readonly instance: string;
  readonly subscriptions: readonly string[];
  readonly service?: string;
  readonly have?: { readonly configVersion: string; readonly endpointVersion: string; readonly services: object };
}

/** A certificate for a workload, straight from the CA. */
export const identityFrom = (
  authority: CertificateAuthority,
  trustBundlePem: string,
  namespace: string,
  serviceAccount: string,
  lifetimeMs = 3_600_000,
): Required<ControlPlaneTls> => {
  const id = createWorkloadId(authority.trustDomain, namespace, serviceAccount);
  if ('reason' in id) throw new Error(id.sentence);
  const { privateKey, publicKey } = createKeyPair();
  const { chainPem } = issueCertificate(authority, { id, publicKey, nowMs: Date.now(), lifetimeMs });
  return { trustBundlePem, certificatePem: chainPem, keyPem: formatPrivateKey(privateKey) };
};

/** Resolves with the first update confirmed. */
export const simulateSidecar = async (options: SimulatedOptions): Promise<SimulatedSidecar> => {
  const updates: Update[] = [];
  let first: () => void = () => {};
  const started = new Promise<void>(resolve => {
    first = resolve;
  });
  const stream = await ControlPlaneStream.open(options.url, options.tls, {
    line: line => {
      const message = parseServerMessage(line);
      if (message.type === 'error') sidecar.refusal = message.reason;
      if (message.type !== 'update') return;
      updates.push(message);
      if (!message.done || !sidecar.confirms) return;
      sidecar.stream.send({ type: 'ack', update: message.update });
      sidecar.onUpdate(message);
      first();
    },
    closed: reason => {
      clearInterval(heartbeat);
      sidecar.closedBecause = reason;
      first();
    },
  });
  const heartbeat = setInterval(() => stream.send({ type: 'heartbeat', wallMs: Date.now() }), HEARTBEAT_MS).unref();
  const sidecar: SimulatedSidecar = {
    stream,
    updates,
    onUpdate: () => {},
    confirms: true,
    closedBecause: '',
    refusal: '',
  };
  stream.send({
    type: 'hello',
    protocol: 1,
    release: '0.1.0',
    instance: options.instance,
    service: options.service ?? '',
    ports: options.service ? [{ port: 8080, protocol: 'http' }] : [],
    labels: {},
    locality: '',
    advertise: '127.0.0.1:15006',
    have: options.have ?? { configVersion: '', endpointVersion: '', services: {} },
    subscriptions: options.subscriptions,
  });
  await started;
  return sidecar;
};
