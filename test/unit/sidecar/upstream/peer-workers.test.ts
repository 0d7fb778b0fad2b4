import fc from 'fast-check';
import t from 'tap';
import { PeerWorkers } from '../../../../sidecar/upstream/peer-workers.ts';

/** A pool's worker `own`, which has heard that there are so many at the peer. */
const heard = (number: number, count: number, peers: number): PeerWorkers<string> => {
  const workers = new PeerWorkers<string>({ number, count });
  workers.heard('first', { number: 0, count: peers });
  return workers;
};

t.test(
  'every worker of the peer gets connections, evenly, and no more are made than the larger side has workers',
  t => {
    const count = fc.integer({ min: 1, max: 16 });
    fc.assert(
      fc.property(count, count, (own, peers) => {
        const links = Array.from({ length: peers }, () => 0);
        for (let number = 0; number < own; number++) {
          const workers = heard(number, own, peers);
          let mine = 0;
          for (let worker = 0; worker < peers; worker++)
            if (workers.isWanted(worker)) {
              links[worker]!++;
              mine++;
            }
          if (mine === 0 || workers.several !== mine > 1) return false;
        }
        const total = links.reduce((sum, each) => sum + each, 0);
        return total === Math.max(own, peers) && Math.max(...links) - Math.min(...links) <= 1;
      }),
    );
    t.end();
  },
);

t.test('until the peer says that it has workers nothing is missing', t => {
  const workers = new PeerWorkers<string>({ number: 1, count: 2 });
  t.notOk(workers.isMissing(['first']));
  t.notOk(workers.several);
  workers.heard('first', { number: 0, count: 1 });
  t.notOk(workers.isMissing(['first']));
  t.end();
});

t.test('the one of our own worker is missing until a connection leads there', t => {
  const workers = heard(1, 2, 2);
  t.ok(workers.isMissing(['first']));
  workers.heard('second', { number: 0, count: 2 });
  t.notOk(workers.isNeeded('second', ['first']));
  workers.heard('third', { number: 1, count: 2 });
  t.ok(workers.isNeeded('third', ['first']));
  t.same(workers.unwanted(['first', 'third', 'silent']), ['first']);
  t.notOk(workers.isMissing(['third']));
  workers.forget('third');
  t.ok(workers.isMissing(['third']));
  t.notOk(workers.isNeeded('third', []), 'nobody knows where it leads');
  t.end();
});

t.test('sixteen tries are enough, with longer and longer pauses, until there is reason to try again', t => {
  const workers = heard(1, 2, 2);
  const pauses = Array.from({ length: 17 }, () => workers.nextTryMs());
  t.same([pauses[0], pauses[1], pauses[15], pauses[16]], [20, 40, 320, undefined]);
  workers.startAgain();
  t.equal(workers.nextTryMs(), 20);
  t.end();
});
