/** HAProxy in tcp mode, which lends a mesh certificate to clients that have none: plain text in, mTLS with ALPN `h2` out. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyedCertificate } from './peer-certificates.ts';
import { freePort } from './ports.ts';
import { RunningProcess } from './processes.ts';
import { connects } from './tcp.ts';
import { waitFor } from './wait-for.ts';

export interface CertificateLender extends AsyncDisposable {
  readonly port: number;
}

/** `directory` is for its files. It does not check whom it talks to: the sidecar does the checking. */
export const startCertificateLender = async (
  inbound: number,
  certificate: KeyedCertificate,
  directory: string,
): Promise<CertificateLender> => {
  const port = await freePort();
  const pem = join(directory, 'lent.pem');
  const configuration = join(directory, 'lender.cfg');
  writeFileSync(pem, certificate.certificatePem + certificate.keyPem, { mode: 0o600 });
  writeFileSync(
    configuration,
    `global
 nbthread 1
defaults
 mode tcp
 timeout client 300s
 timeout server 300s
 timeout connect 5s
listen lender
 bind 127.0.0.1:${port}
 server inbound 127.0.0.1:${inbound} ssl crt ${pem} verify none alpn h2
`,
  );
  const haproxy = new RunningProcess('haproxy', ['-f', configuration]);
  await waitFor(`HAProxy on port ${port}: ${haproxy.output()}`, () => connects(port));
  return { port, [Symbol.asyncDispose]: async () => void (await haproxy.stop()) };
};
