import { setImmediate } from 'node:timers/promises';
import type { Metric, RegistryContentType } from 'prom-client';
import type { Definition } from './definitions.ts';

export type Labels = Readonly<Record<string, string>>;

/** One line of the exposition. */
export interface Sample {
  /** When it is not the family's own name: `…_bucket`. */
  readonly metricName?: string;
  /** Labels of this line alone: `le`. */
  readonly labels?: Labels;
  /** Labels that several lines have in common. prom-client keeps their text for as long as the object lives. */
  readonly sharedLabels?: object;
  readonly value: number;
}

/** A metric with all its lines. */
export interface Family {
  readonly name: string;
  readonly definition: Definition;
  readonly samples: Iterable<Sample>;
}

/** `text`: Prometheus text format 0.0.4. `openmetrics`: OpenMetrics 1.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, RegistryContentType>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/**
 * The format that an `Accept` header asks for: OpenMetrics when it is acceptable and not rated below plain text, as Prometheus asks.
 * RFC 9110 §12.5.1.
 */
export const formatFor = (accept: string): ExpositionFormat => {
  const openMetrics = quality(accept, 'application/openmetrics-text');
  return openMetrics > 0 && openMetrics >= quality(accept, 'text/plain') ? 'openmetrics' : 'text';
};

/** The `q` of an exactly named media type; 0: not named. */
const quality = (accept: string, type: string): number => {
  for (const range of accept.split(',')) {
    const [name, ...parameters] = range.split(';').map(part => part.trim().toLowerCase());
    if (name !== type) continue;
    const q = parameters.find(parameter => parameter.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
};

/** Lines that are written in one go: some 2 ms of work, between which the data path has its turn. */
const LINES_PER_CHUNK = 500;

/**
 * The families as text, by prom-client, which is loaded with the first scrape. In chunks, because the text of 5,000 series has 50 MB. A chunk
 * has whole lines. The samples must not change while they are read.
 */
export async function* expose(
  families: Iterable<Family>,
  format: ExpositionFormat,
): AsyncGenerator<string, void, undefined> {
  const { Registry } = await import('prom-client');
  for (const family of families) {
    const registry = new Registry<RegistryContentType>();
    registry.setContentType(CONTENT_TYPES[format]);
    const metric = collected(family, format);
    registry.registerMetric(metric as unknown as Metric);
    const samples = family.samples[Symbol.iterator]();
    for (let first = true; first || metric.values.length === LINES_PER_CHUNK; first = false) {
      metric.values = [];
      while (metric.values.length < LINES_PER_CHUNK) {
        const { done, value } = samples.next();
        if (done === true) break;
        metric.values.push(value);
      }
      const text = await registry.getSingleMetricAsString(family.name);
      const lines = first ? text : withoutComments(text);
      if (lines !== '') yield `${lines}\n`;
      await setImmediate();
    }
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

/** The part of a prom-client metric that a Registry uses. Names of OpenMetrics counters have no `_total`; the Registry adds it to their lines. */
const collected = ({ name, definition: { help, type } }: Family, format: ExpositionFormat) => ({
  name,
  values: [] as Sample[],
  get() {
    const metricName = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    return { name: metricName, help, type, values: this.values };
  },
});

/** HELP and TYPE are the first two lines. */
const withoutComments = (text: string): string => text.split('\n').slice(2).join('\n');
