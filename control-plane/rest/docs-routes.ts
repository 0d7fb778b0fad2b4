/** `/docs`: every kind and field as plain pages, for people. */

import type { FastifyInstance } from 'fastify';
import { listFields } from '../../api/list-fields.ts';
import { apiVersionOf, qualifiedName, type ResourceKind } from '../../api/resource-kind.ts';

export const addDocsRoutes = (app: FastifyInstance, kinds: readonly ResourceKind[]): void => {
  const index = page('Outrider resources', kinds.map(summary).join(''));
  app.get('/docs', (_request, reply) => reply.type('text/html; charset=utf-8').send(index));
  for (const kind of kinds)
    app.get(`/docs/${qualifiedName(kind)}`, (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(kindPage(kind)),
    );
};

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? sign);

/** Text with `code` in it. */
const prose = (text: string): string => escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>');

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}' +
  'td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}code{font-size:90%}';

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>` +
  `<body><h1>${escapeHtml(title)}</h1>${body}</body></html>`;

const summary = (kind: ResourceKind): string =>
  `<h2><a href="/docs/${qualifiedName(kind)}">${kind.kind}</a></h2><p><code>${apiVersionOf(kind)}</code></p><p>${prose(kind.description)}</p>`;

const kindPage = (kind: ResourceKind): string => {
  const rows = listFields(kind).map(
    field =>
      `<tr><td><code>${escapeHtml(field.path)}</code>${field.required ? ' (required)' : ''}</td><td>${escapeHtml(field.type)}</td>` +
      `<td>${prose(field.default)}</td><td>${prose(field.description)}</td></tr>`,
  );
  return page(
    kind.kind,
    `<p><a href="/docs">all kinds</a></p><p><code>${apiVersionOf(kind)}</code></p><p>${prose(kind.description)}</p>` +
      `<table><tr><th>Field</th><th>Type</th><th>Default</th><th>Meaning</th></tr>${rows.join('')}</table>`,
  );
};
