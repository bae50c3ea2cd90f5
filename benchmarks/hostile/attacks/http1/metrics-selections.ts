import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'scrapes that select 1,000 names each, and others every time, on ten connections',
  bound: 'a selection costs no more than a whole scrape, and none is kept',
  async run(client) {
    let count = 0;
    await client.sendInTurns(10, () => {
      const names = Array.from({ length: 1000 }, () => `name[]=m${count++}`);
      return get(`/metrics?${names.join('&')}`);
    });
  },
});
