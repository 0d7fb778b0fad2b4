import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { METRICS } from '../../../sidecar/telemetry/definitions.ts';

const rules = readFileSync(join(import.meta.dirname, '../../../manifests/prometheus/rules.yml'), 'utf8');

t.test('the rules ask for metrics and labels that exist', t => {
  const uses = [...rules.matchAll(/(?<![:\w])(outrider_\w+?)(?:_bucket)?(?:\{([^}]*)\})?(?=[^\w{])/g)].filter(
    ([text]) => !text.endsWith(':'),
  );
  t.ok(uses.length > 8);
  for (const [, name = '', matchers = ''] of uses) {
    const definition = METRICS[name];
    if (!t.ok(definition, name)) continue;
    for (const [, label = ''] of matchers.matchAll(/(\w+)(?:=~|!=|=)"/g)) {
      t.ok(definition?.labels.includes(label), `${name} has ${label}`);
    }
  }
  t.end();
});
