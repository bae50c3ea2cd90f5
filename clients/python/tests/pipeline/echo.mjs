const REFUSE = 1;

export function load() {
  return { run: (batch) => batch.map(answerOf) };
}

function answerOf(item) {
  if (Number(item.order?.data[0] ?? 0) !== REFUSE) return item;
  throw Object.assign(new Error('refused by order'), { code: 'INVALID_INPUT' });
}
