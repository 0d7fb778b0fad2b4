import { appEnvironment } from '../run/app-environment.ts';
import { listOf, type Plain } from './plain.ts';
import { SIDECAR_PORTS } from './ports.ts';
import type { SidecarSettings } from './settings.ts';

/** The variables that a container of the app is to have beside its own; what it sets itself stays. */
export const missingVariables = (container: Plain, settings: SidecarSettings): readonly Plain[] => {
  const host = '127.0.0.1';
  const own = new Set(listOf(container.env).map(({ name }) => name));
  const wanted = appEnvironment(
    {},
    {
      outbound: { host, port: SIDECAR_PORTS.outbound },
      upstreams: new Map(settings.upstreams.map(({ service, port }) => [service, { host, port }])),
    },
  );
  return Object.entries(wanted)
    .filter(([name]) => !own.has(name) && (settings.proxyEnv || name.startsWith('OUTRIDER_')))
    .map(([name, value]) => ({ name, value }));
};
