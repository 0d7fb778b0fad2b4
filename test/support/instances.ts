/** One calling sidecar and several instances of the service `app`, each an app in this process behind a sidecar of its own. */
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_POLICY, type PolicyView, type Snapshot } from '../../api/snapshot.ts';
import { createSvid, createTestMesh, writeStateDir } from './peer-certificates.ts';
import { freePorts } from './ports.ts';
import { Sidecar } from './sidecar-process.ts';
import { waitFor } from './wait-for.ts';

const ID = 'spiffe://mesh.local/ns/default/sa/app';

/** An app whose behaviour the test changes. */
export interface Instance {
  readonly sidecar: Sidecar;
  /** `host:port` that the caller dials. */
  readonly address: string;
  /** Requests that reached the app. */
  served: number;
  answer: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface Instances extends AsyncDisposable {
  readonly caller: Sidecar;
  readonly all: readonly Instance[];
  readonly url: string;
  /** Takes an instance out of what the caller knows, as the control plane does for one that has left. */
  readonly forget: (instance: Instance) => Promise<unknown>;
}

export const good: Instance['answer'] = (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-length': 2 }).end('ok');
};
export const status =
  (code: number): Instance['answer'] =>
  (request, response) => {
    request.resume();
    response.writeHead(code, { 'content-length': 0 }).end();
  };
export const slow =
  (ms: number): Instance['answer'] =>
  (request, response) => {
    setTimeout(() => good(request, response), ms);
  };

/** Starts everything, waits until all are ready. */
export const startInstances = async (count: number, policy: Partial<PolicyView> = {}): Promise<Instances> => {
  const directory = mkdtempSync(join(tmpdir(), 'instances-'));
  const mesh = createTestMesh();
  const ports = await freePorts(4 * (count + 1));
  const portsOf = (at: number) => {
    const [inbound, outbound, admin, metrics] = ports.slice(4 * at, 4 * at + 4) as [number, number, number, number];
    return { inbound, outbound, admin, metrics };
  };
  const stateDir = (name: string, account: string, snapshot: Snapshot): string => {
    const path = join(directory, name);
    writeStateDir(path, createSvid(mesh.root, account), mesh.bundle);
    writeFileSync(join(path, 'snapshot.json'), JSON.stringify(snapshot), { mode: 0o600 });
    return path;
  };
  const addresses = Array.from({ length: count }, (_, i) => `127.0.0.1:${portsOf(i + 1).inbound}`);
  const apps = await Promise.all(addresses.map(() => listen()));
  const snapshot: Snapshot = {
    format: 1,
    configVersion: '1',
    endpointVersion: '1',
    trustDomain: 'mesh.local',
    outboundPolicy: 'REGISTRY_ONLY',
    services: [
      {
        name: 'app',
        namespace: 'default',
        addresses: [],
        ports: [{ port: 80, name: '', protocol: 'http', routes: [], policy: { ...DEFAULT_POLICY, ...policy } }],
        endpoints: addresses.map((address, i) => ({
          address,
          identity: ID,
          ports: { 80: apps[i]?.port ?? 0 },
          weight: 1,
          workload: `app-${i}`,
          labels: {},
          locality: '',
        })),
      },
    ],
  };
  const caller = new Sidecar('caller', {
    service: 'client',
    stateDir: stateDir('caller', 'client', snapshot),
    ports: portsOf(0),
  });
  const all = apps.map(({ port, instance }, i) => {
    const sidecar = new Sidecar(`app-${i}`, {
      service: 'app',
      stateDir: stateDir(`app-${i}`, 'app', { ...snapshot, services: [] }),
      ports: portsOf(i + 1),
      env: { OUTRIDER_APP_PORTS: String(port) },
    });
    return Object.assign(instance, { sidecar, address: addresses[i] ?? '' });
  });
  const stop = async (): Promise<void> => {
    await Promise.all([caller, ...all.map(({ sidecar }) => sidecar)].map(({ process }) => process.stop()));
    for (const { server } of apps) server.closeAllConnections();
    for (const { server } of apps) server.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all([caller, ...all.map(({ sidecar }) => sidecar)].map(sidecar => sidecar.ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  const [service] = snapshot.services;
  const forget = (gone: Instance): Promise<unknown> => {
    const endpoints = service?.endpoints.filter(({ address }) => address !== gone.address) ?? [];
    const services = snapshot.services.map(each => ({ ...each, endpoints }));
    // A new file in one step, as the sidecar itself writes it.
    const path = join(directory, 'caller', 'snapshot.json');
    writeFileSync(`${path}.new`, JSON.stringify({ ...snapshot, endpointVersion: '2', services }), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    return waitFor('the caller to forget it', async () => !(await caller.admin('/clusters')).includes(gone.address));
  };
  return { caller, all, forget, url: `http://127.0.0.1:${caller.ports.outbound}`, [Symbol.asyncDispose]: stop };
};

const listen = async () => {
  const instance = { served: 0, answer: good };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    instance.served++;
    instance.answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, instance };
};
