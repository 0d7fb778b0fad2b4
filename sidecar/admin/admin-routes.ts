import { LOG_LEVELS } from '../../common/logger.ts';
import type { Ask, Route, Routes } from './http-server.ts';
import type { ReadinessState } from './readiness.ts';
import { HTML, jsonReply, PLAIN, type Reply, textReply } from './reply.ts';
import type { AdminSources, Row } from './sources.ts';
import { formatFacts, formatTable } from './text-table.ts';

const get = (about: string, handle: Route['handle']): Route => ({ method: 'GET', about, handle });
const post = (about: string, handle: Route['handle']): Route => ({ method: 'POST', about, handle });

/** Everything on the admin address. The names are Envoy's where Envoy has the same thing. */
export const adminRoutes = (sources: AdminSources): Routes => {
  const routes: Routes = {
    '/': get('this list', ask => index(routes, ask)),
    '/ready': get('200 when this sidecar should get traffic, else 503 and why', () => readyReply(sources.ready())),
    '/live': get('200 while the process works', () => textReply(200, 'live')),
    '/server_info': get('what runs, as whom, and since when', ask => facts(ask, sources.serverInfo())),
    '/config_dump': get('configuration and snapshot in use, as JSON', () => jsonReply(sources.configDump())),
    '/clusters': get('the instances of each destination, and how they are', async ask =>
      table(ask, await sources.clusters()),
    ),
    '/certs': get('the certificates in use', ask => table(ask, sources.certs())),
    '/listeners': get('the addresses that this sidecar listens on', ask => table(ask, sources.listeners())),
    '/stats': get('all metrics, as on the metrics address', () => ({
      status: 200,
      contentType: PLAIN,
      body: sources.stats(),
    })),
    '/drain': post('take no new work; what runs may end', () => {
      sources.drain();
      return textReply(200, 'draining');
    }),
    '/quitquitquit': post('drain, then end the process', () => ({
      ...textReply(200, 'quitting'),
      afterwards: () => sources.quit(),
    })),
    '/logging': post(`?level=${LOG_LEVELS.join('|')}: log from this level on`, ({ query }) =>
      setLevel(sources, query.get('level')),
    ),
  };
  return routes;
};

/** 200, or 503 with one reason a line. */
export const readyReply = ({ ready, reasons }: ReadinessState): Reply =>
  ready ? textReply(200, 'ready') : textReply(503, reasons.join('\n'));

const setLevel = (sources: AdminSources, asked: string | null): Reply => {
  const level = LOG_LEVELS.find(known => known === asked);
  if (level === undefined)
    return textReply(400, `level must be one of ${LOG_LEVELS.join(', ')}, not ${JSON.stringify(asked ?? '')}`);
  sources.setLogLevel(level);
  return textReply(200, `level is ${level}`);
};

const wantsJson = ({ query, accept }: Ask): boolean =>
  query.get('format') === 'json' || accept.includes('application/json');

const table = (ask: Ask, rows: readonly Row[]): Reply =>
  wantsJson(ask) ? jsonReply(rows) : { status: 200, contentType: PLAIN, body: formatTable(rows) };

const facts = (ask: Ask, value: object): Reply =>
  wantsJson(ask) ? jsonReply(value) : { status: 200, contentType: PLAIN, body: formatFacts(value) };

const index = (routes: Routes, { accept }: Ask): Reply => {
  const rows = Object.entries(routes).map(([path, { method, about }]) => ({ method, path, about }));
  if (!accept.includes('text/html')) return { status: 200, contentType: PLAIN, body: formatTable(rows) };
  const items = rows.map(({ method, path, about }) => {
    const name = method === 'GET' ? `<a href="${path}">${path}</a>` : `<code>POST ${path}</code>`;
    return `<li>${name}: ${about}</li>`;
  });
  return {
    status: 200,
    contentType: HTML,
    body: `<!doctype html><meta charset="utf-8"><title>Outrider sidecar</title><h1>Outrider sidecar</h1><ul>${items.join('\n')}</ul>\n`,
  };
};
