/**
 * What front processes take off the router: requests per second, and the processor time of a request in the router's own thread and in its
 * fronts, with none, one and two of them in turns.
 */
import { median } from './load/open-load.js';
import { type Router, startRouter } from './router/router.js';
import { checkedLoad, kinds } from './throughput.js';

/** One kind of request with one number of fronts: medians of the rounds. */
export interface FrontFigures {
  readonly name: string;
  readonly fronts: number;
  readonly rps: number;
  /** Processor time of a request, in µs. */
  readonly routerThreadUs: number;
  readonly frontsUs: number;
}

type Trial = Pick<FrontFigures, 'rps' | 'routerThreadUs' | 'frontsUs'>;

const FRONTS = [0, 1, 2];
const PROCESSORS = '0,1';
const MAX_BATCH_SIZE = 32;
const WARM_UP_S = 2;

/** Rounds of all kinds and numbers of fronts in turn, each for `seconds`. */
export async function measureFronts({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<readonly FrontFigures[]> {
  const cells = FRONTS.flatMap((fronts) => kinds.map((kind) => ({ fronts, kind, trials: [] as Trial[] })));
  for (let round = 0; round < rounds; round++) {
    for (const fronts of FRONTS) {
      const router = await startRouter({
        ...{ stages: 1, maxBatchSize: MAX_BATCH_SIZE, processors: PROCESSORS, frontProcesses: fronts },
      });
      try {
        for (const cell of cells) {
          if (cell.fronts === fronts) cell.trials.push(await trial(router, cell.kind, seconds));
        }
      } finally {
        await router.close();
      }
    }
  }
  return cells.map(({ fronts, kind: { name }, trials }) => ({
    ...{ name, fronts },
    rps: median(trials.map(({ rps }) => rps)),
    routerThreadUs: median(trials.map(({ routerThreadUs }) => routerThreadUs)),
    frontsUs: median(trials.map(({ frontsUs }) => frontsUs)),
  }));
}

async function trial({ server, url, grpcAddress }: Router, kind: (typeof kinds)[number], seconds: number) {
  const at = kind.grpc ? `http://${grpcAddress}` : url;
  await checkedLoad(kind, at, WARM_UP_S);
  const [threadSeconds, childSeconds] = [server.mainThreadSeconds, server.childSeconds];
  const { rps, succeeded } = await checkedLoad(kind, at, seconds);
  const usOf = (spentSeconds: number) => (1e6 * spentSeconds) / succeeded;
  return {
    rps,
    routerThreadUs: usOf(server.mainThreadSeconds - threadSeconds),
    frontsUs: usOf(server.childSeconds - childSeconds),
  };
}
