let actions: (() => void)[] = [];

const runAll = (): void => {
  const due = actions;
  actions = [];
  for (const action of due) action();
};

/**
 * Calls `action` at the end of this turn of the event loop, with all others that ask for it. What a turn has to say to many connections goes out
 * in a row: between two writes there is no time for the first peer to answer and fall asleep again, so that fewer of them have to be woken.
 */
export const atTurnEnd = (action: () => void): void => {
  if (actions.push(action) === 1) setImmediate(runAll);
};
