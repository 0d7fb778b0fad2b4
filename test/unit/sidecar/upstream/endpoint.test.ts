import t from 'tap';
import { ENDPOINT_BYTES, Endpoint, endpointKey } from '../../../../sidecar/upstream/endpoint.ts';
import { endpointView } from '../route/snapshot.fixture.ts';

t.test('an endpoint knows the port of the app behind each service port', t => {
  const endpoint = new Endpoint(endpointView('10.0.0.1:15006', { ports: { '80': 8_080, '9090': 50_051 } }), 0);
  t.equal(endpoint.appPort(80), 8_080);
  t.equal(endpoint.appPort(9_090), 50_051);
  t.equal(endpoint.appPort(7_000), 7_000, 'a port that is not mapped is the same on both sides');
  t.end();
});

t.test('the weight is the one of the newest snapshot', t => {
  const endpoint = new Endpoint(endpointView('10.0.0.1:15006'), 5);
  t.equal(endpoint.weight, 1);
  endpoint.view = endpointView('10.0.0.1:15006', { weight: 7 });
  t.equal(endpoint.weight, 7);
  t.equal(endpoint.addedAtMs, 5);
  t.end();
});

t.test('endpoints are the same by address and identity', t => {
  const key = endpointKey(endpointView('10.0.0.1:15006'));
  t.equal(
    endpointKey(endpointView('10.0.0.1:15006', { weight: 9, labels: { version: 'v2' }, workload: 'other' })),
    key,
  );
  t.not(endpointKey(endpointView('10.0.0.2:15006')), key);
  t.not(
    endpointKey(endpointView('10.0.0.1:15006', { identity: null })),
    key,
    'a reused address with another identity is another one',
  );
  t.end();
});

t.test('workers know the same of an instance, and one of them alone changes its state', t => {
  const memory = new SharedArrayBuffer(ENDPOINT_BYTES);
  const [one, other] = [0, 1].map(() => new Endpoint(endpointView('10.0.0.1:15006'), 0, 'key', memory)) as [
    Endpoint,
    Endpoint,
  ];
  one.failures.add('failure', 5);
  t.equal(other.failures.count, 1);
  const { turn } = other;
  t.ok(one.changeHealth('healthy', 'ejected'));
  t.notOk(other.changeHealth('healthy', 'ejected'));
  t.equal(other.health, 'ejected');
  t.not(other.turn, turn);
  one.wantProbe(true);
  t.ok(other.takeProbe());
  t.notOk(one.takeProbe(), 'one request alone probes it');
  t.end();
});
