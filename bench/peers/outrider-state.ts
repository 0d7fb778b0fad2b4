/** The state folder of a sidecar that has been in a mesh before: its last snapshot, its certificate and key, the trust bundle. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULT_POLICY,
  type AppProtocol as PortProtocol,
  type ServiceView,
  SNAPSHOT_FORMAT,
  type Snapshot,
} from '../../api/snapshot.ts';
import { type ProxyCertificate, SERVICE_B, spiffeId, TRUST_DOMAIN } from '../chain/certificates.ts';

/** Port of the service as callers know it. */
const SERVICE_PORT = 80;

/** The app's service, with B as its only instance. */
export const appService = (protocol: PortProtocol, inboundPort: number, appPort: number): ServiceView => ({
  name: SERVICE_B,
  namespace: 'default',
  addresses: [],
  ports: [{ port: SERVICE_PORT, name: protocol, protocol, routes: [], policy: DEFAULT_POLICY }],
  endpoints: [
    {
      address: `127.0.0.1:${inboundPort}`,
      identity: spiffeId(SERVICE_B),
      ports: { [SERVICE_PORT]: appPort },
      weight: 1,
      workload: `${SERVICE_B}-1`,
      labels: {},
      locality: '',
    },
  ],
});

const snapshot = (services: readonly ServiceView[]): Snapshot => ({
  format: SNAPSHOT_FORMAT,
  configVersion: '1',
  endpointVersion: '1',
  trustDomain: TRUST_DOMAIN,
  outboundPolicy: 'ALLOW_ANY',
  services,
});

export interface State {
  readonly certificate: ProxyCertificate;
  /** Path of the trust bundle. */
  readonly ca: string;
  readonly services: readonly ServiceView[];
}

export const writeState = async (directory: string, { ca, certificate, services }: State): Promise<void> => {
  await mkdir(directory, { mode: 0o700 });
  await copyFile(certificate.certificate, join(directory, 'certificate.pem'));
  await copyFile(certificate.key, join(directory, 'key.pem'));
  await copyFile(ca, join(directory, 'trust-bundle.pem'));
  await writeFile(join(directory, 'snapshot.json'), JSON.stringify(snapshot(services)));
};
