import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CoreGrant, type CoreGrants, divideCores, type RouterCores } from './router-cores.js';

const BUDGET = 12;
const SURGE = 1;

/** Router that obeys late: it reads instructions, changes its plan and tells its state in separate steps. */
class SlowRouter {
  readonly id: string;
  told: RouterCores;
  #read: CoreGrant | undefined;
  #share = 0;
  #version = 0;
  #planCores = 0;
  #surge = false;
  #heldSurge = 0;

  constructor(id: string) {
    this.id = id;
    this.told = this.#state();
  }

  get heldCores(): number {
    return Math.max(this.#share, this.#planCores) + this.#heldSurge;
  }

  read(grants: CoreGrants): void {
    this.#read = grants[this.id] ?? this.#read;
  }

  /** Obeys a share or the loss of the surge. Its plan may still be larger. */
  obey(): void {
    if (this.#read === undefined) return;
    this.#planCores = Math.max(this.#planCores, this.#share);
    this.#share = this.#read.shareCores;
    this.#surge = this.#read.surge;
    this.#version = this.#read.version;
  }

  beginChange(): void {
    if (this.#surge) this.#heldSurge = SURGE;
  }

  endChange(): void {
    this.#planCores = Math.min(this.#planCores, this.#share);
    this.#heldSurge = 0;
  }

  tell(wantsSurge: boolean): void {
    this.told = this.#state(wantsSurge);
  }

  #state(wantsSurge = false): RouterCores {
    const limitCores = Math.max(this.#share, this.#planCores);
    return {
      id: this.id,
      version: this.#version,
      limitCores,
      usesSurge: this.#surge || this.#heldSurge > 0,
      wantsSurge,
    };
  }
}

/** Routers that come, die and obey late, and a lead that divides. */
class Machine {
  readonly #live = new Map<number, SlowRouter>([[0, new SlowRouter('first')]]);
  #grants: CoreGrants = {};
  #version = 0;
  #born = 0;

  get heldCores(): number {
    return [...this.#live.values()].reduce((sum, { heldCores }) => sum + heldCores, 0);
  }

  readonly actions: Readonly<Record<string, (at: number) => void>> = {
    divide: () => this.#divide(),
    settle: () => this.#settle(),
    join: (at) => {
      if (!this.#live.has(at)) this.#live.set(at, new SlowRouter(`${this.#born++}`));
    },
    die: (at) => {
      if (this.#live.size > 1) this.#live.delete(at);
    },
    read: (at) => this.#live.get(at)?.read(this.#grants),
    obey: (at) => this.#live.get(at)?.obey(),
    begin: (at) => this.#live.get(at)?.beginChange(),
    end: (at) => this.#live.get(at)?.endChange(),
    tell: (at) => this.#live.get(at)?.tell(false),
    'tell-wants': (at) => this.#live.get(at)?.tell(true),
  };

  #divide(): void {
    this.#version += 1;
    const told = [...this.#live.values()].map((each) => each.told);
    const leadId = told[0]?.id ?? '';
    const division = { budgetCores: BUDGET, count: told.length, version: this.#version, leadId };
    this.#grants = divideCores(division, told, this.#grants);
  }

  #settle(): void {
    for (let round = 0; round < 4; round++) {
      this.#divide();
      for (const each of this.#live.values()) {
        each.read(this.#grants);
        each.obey();
        each.endChange();
        each.tell(false);
      }
    }
  }
}

const step = fc.record({ router: fc.nat(2), action: fc.constantFrom(...Object.keys(new Machine().actions)) });

describe('divideCores', () => {
  it('gives all routers together at most budget and surge, while routers come, die or obey late', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const machine = new Machine();
        let mostCores = 0;
        for (const { router, action } of steps) {
          machine.actions[action]?.(router);
          mostCores = Math.max(mostCores, machine.heldCores);
        }
        expect(mostCores).toBeLessThanOrEqual(BUDGET + SURGE + 1e-9);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  const settle = (
    routers: readonly SlowRouter[],
    { count = routers.length, wants = '' } = {},
    from: CoreGrants = {},
  ) => {
    let grants = from;
    for (let version = 100; version < 120; version++) {
      const told = routers.map((router) => router.told);
      grants = divideCores({ budgetCores: BUDGET, count, leadId: 'a', version }, told, grants);
      for (const router of routers) {
        router.read(grants);
        router.obey();
        router.endChange();
        router.tell(router.id === wants);
      }
    }
    return grants;
  };
  const named = (...ids: string[]) => ids.map((id) => new SlowRouter(id));
  const sharesIn = (grants: CoreGrants) =>
    Object.values(grants).map(({ count, shareCores, surge }) => [count, shareCores, surge]);

  it('gives equal shares in the end; a router that is gone gives its share to the others, and gets it back', () => {
    const [a, b, c] = named('a', 'b', 'c') as [SlowRouter, SlowRouter, SlowRouter];
    expect(sharesIn(settle([a], { count: 2 }))).toEqual([[2, 6, true]]);
    const three = settle([a, b, c]);
    expect(sharesIn(three)).toEqual([
      [3, 4, true],
      [3, 4, false],
      [3, 4, false],
    ]);
    const two = settle([a, c], {}, three);
    expect(sharesIn(two)).toEqual([
      [2, 6, true],
      [2, 6, false],
    ]);
    const [again] = named('again') as [SlowRouter];
    expect(sharesIn(settle([a, c, again], {}, two)).map(([, share]) => share)).toEqual([4, 4, 4]);
  });

  const divided = (routers: readonly SlowRouter[], before: CoreGrants, version: number) => {
    const told = routers.map((router) => router.told);
    return divideCores({ budgetCores: BUDGET, count: routers.length, leadId: 'a', version }, told, before);
  };

  it('counts a share that was withdrawn until the router tells that it obeys', () => {
    const [a, b, late] = named('a', 'b', 'late') as [SlowRouter, SlowRouter, SlowRouter];
    const raised = divided([a], settle([a, b]), 200);
    expect(raised['a']?.shareCores).toBe(BUDGET);
    // The router has read its larger share, and obeys it later.
    a.read(raised);
    const lowered = divided([a, late], raised, 201);
    expect([lowered['a']?.shareCores, lowered['late']?.shareCores]).toEqual([BUDGET / 2, 0]);
    expect(divided([a, late], lowered, 202)['late']?.shareCores).toBe(0);
    a.obey();
    a.tell(false);
    expect(divided([a, late], lowered, 203)['late']?.shareCores).toBe(0);
    a.read(lowered);
    a.obey();
    a.endChange();
    a.tell(false);
    expect(divided([a, late], lowered, 204)['late']?.shareCores).toBe(BUDGET / 2);
  });

  it('counts a surge that was withdrawn until the router tells that it obeys', () => {
    const [a, b] = named('a', 'b') as [SlowRouter, SlowRouter];
    const before = settle([a, b]);
    b.tell(true);
    const withdrawn = divided([a, b], before, 200);
    a.read(withdrawn);
    a.obey();
    a.tell(false);
    const lent = divided([a, b], withdrawn, 201);
    expect(lent['b']?.surge).toBe(true);
    // The router has read that it has the surge, but tells its state of before.
    b.read(lent);
    b.tell(false);
    const back = divided([a, b], lent, 202);
    expect([back['a']?.surge, back['b']?.surge]).toEqual([false, false]);
    expect(divided([a, b], back, 203)['a']?.surge).toBe(false);
    b.obey();
    b.beginChange();
    b.tell(false);
    expect(divided([a, b], back, 204)['a']?.surge).toBe(false);
  });

  it('gives nothing to routers above the count', () => {
    expect(sharesIn(settle(named('a', 'b', 'c'), { count: 2 }))).toEqual([
      [2, 6, true],
      [2, 6, false],
      [0, 0, false],
    ]);
  });

  it('lends the surge to the router that needs it, and returns it to the lead', () => {
    const routers = named('a', 'b');
    const lent = settle(routers, { wants: 'b' });
    expect([lent['a']?.surge, lent['b']?.surge]).toEqual([false, true]);
    const back = settle(routers, {}, lent);
    expect([back['a']?.surge, back['b']?.surge]).toEqual([true, false]);
  });

  it('leaves the surge at a lead that is changing', () => {
    const [a, b] = named('a', 'b') as [SlowRouter, SlowRouter];
    const grants = settle([a, b]);
    a.tell(true);
    b.tell(true);
    const next = divideCores({ budgetCores: BUDGET, count: 2, leadId: 'a', version: 200 }, [a.told, b.told], grants);
    expect([next['a']?.surge, next['b']?.surge]).toEqual([true, false]);
  });
});
