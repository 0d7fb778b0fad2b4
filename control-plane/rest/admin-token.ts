/** What the first start leaves in the data directory for whoever administers the mesh: a token, and a kubeconfig that uses it. */

import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { readDataFile, writeDataFile } from '../identity/data-file.ts';

export const ADMIN_TOKEN_FILE = 'admin-token';
export const KUBECONFIG_FILE = 'kubeconfig';

/** The admin token; made at the first start. A file that someone replaced is used as it is. */
export const openAdminToken = (dataDir: string): string => {
  const present = readDataFile(dataDir, ADMIN_TOKEN_FILE)?.trim();
  if (present !== undefined && present !== '') return present;
  const token = randomBytes(32).toString('base64url');
  writeDataFile(dataDir, ADMIN_TOKEN_FILE, `${token}\n`);
  return token;
};

/** For kubectl and client libraries. Written at every start: the port may have changed. */
export const writeKubeconfig = (dataDir: string, server: string, trustBundlePem: string, token: string): void => {
  const name = 'outrider';
  const cluster = { server, 'certificate-authority-data': Buffer.from(trustBundlePem).toString('base64') };
  writeDataFile(
    dataDir,
    KUBECONFIG_FILE,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name: 'admin', user: { token } }],
      contexts: [{ name, context: { cluster: name, user: 'admin', namespace: 'default' } }],
      'current-context': name,
    }),
  );
};
