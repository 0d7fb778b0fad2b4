/**
 * The same chain made of two HAProxy processes: the positive control of the end-to-end suites (`OUTRIDER_TEST_PAIR=haproxy`).
 * Its certificates come from openssl, so that nothing in it is ours.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlPair, PairService } from './pair-options.ts';
import { freePorts } from './ports.ts';
import { RunningProcess, runToEnd } from './processes.ts';
import { connects } from './tcp.ts';
import { waitFor } from './wait-for.ts';

const HEAD = `global
 nbthread 1
defaults
 mode http
 timeout client 300s
 timeout server 300s
 timeout connect 5s
 timeout tunnel 300s
`;

/** Protocols that HAProxy must be told to speak as HTTP/2 without TLS to the app. */
const HTTP2_APPS: ReadonlySet<string> = new Set(['http2', 'grpc']);

const openssl = async (directory: string, ...args: string[]): Promise<void> => {
  const done = await runToEnd('openssl', args, { cwd: directory });
  if (done.code !== 0) throw new Error(`openssl ${args[0]}: ${done.stderr}`);
};

const makeCertificates = async (directory: string): Promise<void> => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    directory,
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/O=control',
    '-days',
    '2',
  );
  for (const name of ['a', 'b']) {
    const san = `subjectAltName=URI:spiffe://mesh.local/ns/default/sa/${name},DNS:${name}.mesh`;
    const request = [
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      '/O=control',
      '-days',
      '2',
    ];
    await openssl(directory, ...request, '-addext', san, '-CA', 'ca.pem', '-CAkey', 'ca.key');
    const both = ['pem', 'key'].map(kind => readFileSync(join(directory, `${name}.${kind}`), 'utf8'));
    writeFileSync(join(directory, `${name}.both`), both.join(''));
  }
};

export const startHaproxyPair = async (services: readonly PairService[]): Promise<ControlPair> => {
  const directory = mkdtempSync(join(tmpdir(), 'pair-'));
  await makeCertificates(directory);
  const [outbound = 0, ...ports] = await freePorts(1 + 2 * services.length);
  const upstreams = new Map(services.map((service, i) => [service.name, ports[i]!]));
  const inbounds = new Map(services.map((service, i) => [service.name, ports[services.length + i]!]));
  let a = `${HEAD}frontend outbound\n bind 127.0.0.1:${outbound}\n`;
  for (const { name } of services) a += ` use_backend ${name} if { req.hdr(host),field(1,:) -i ${name} }\n`;
  let b = HEAD;
  for (const { name, protocol, appPort } of services) {
    a += `frontend ${name}\n bind 127.0.0.1:${upstreams.get(name)}\n default_backend ${name}\nbackend ${name}\n`;
    a += ` server b 127.0.0.1:${inbounds.get(name)} ssl crt ${directory}/a.both ca-file ${directory}/ca.pem verify required sni str(b.mesh) verifyhost b.mesh alpn h2\n`;
    b += `frontend ${name}\n bind 127.0.0.1:${inbounds.get(name)} ssl crt ${directory}/b.both ca-file ${directory}/ca.pem verify required alpn h2\n`;
    b += ` default_backend ${name}\nbackend ${name}\n server app 127.0.0.1:${appPort}${HTTP2_APPS.has(protocol) ? ' proto h2' : ''}\n`;
  }
  writeFileSync(join(directory, 'a.cfg'), a);
  writeFileSync(join(directory, 'b.cfg'), b);
  const processes = ['a', 'b'].map(
    name => new RunningProcess('haproxy', ['-f', join(directory, `${name}.cfg`)], { name: `haproxy ${name}` }),
  );
  for (const port of [outbound, ...ports]) await waitFor(`HAProxy on port ${port}`, () => connects(port));
  return {
    kind: 'haproxy',
    outbound,
    inbound: ports[services.length] ?? 0,
    upstream: name => upstreams.get(name) ?? 0,
    output: () => processes.map(child => child.output()).join('\n'),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(processes.map(child => child.stop()));
      rmSync(directory, { recursive: true });
    },
  };
};
