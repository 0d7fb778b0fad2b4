/** Reads the Prometheus text format as far as a sidecar writes it. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export const parseSamples = (text: string): Sample[] =>
  text.split('\n').flatMap(line => {
    const [, name, list = '', value] = LINE.exec(line) ?? [];
    if (name === undefined) return [];
    const labels: Record<string, string> = {};
    for (const [, label = '', text = ''] of list.matchAll(LABEL)) labels[label] = text;
    return [{ name, labels, value: Number(value) }];
  });
