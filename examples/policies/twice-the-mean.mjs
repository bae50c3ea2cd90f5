/** Example: the most accurate options that carry twice the last ten seconds' mean rate within the budget. */
const mean = (counts) => counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length);

export default {
  name: 'twice-the-mean',
  intervalMs: 10_000,
  begin({ stages, budgetCores, sloMs }) {
    const share = (budgetCores ?? 20) / stages.length;
    return ({ arrivalsPerSecond }) => {
      const rps = 2 * mean(arrivalsPerSecond.slice(-10));
      const chosen = stages.map(({ name, options, itemsPerRequest, maxReplicas }) => {
        const sized = options.map((option) => {
          const replicas = Math.ceil((rps * itemsPerRequest) / option.itemRps) || 1;
          return { ...option, replicas: Math.min(replicas, maxReplicas, Math.floor(share / option.cores) || 1) };
        });
        const fits = ({ cores, replicas, p99Ms }) => cores * replicas <= share && p99Ms <= sloMs / stages.length / 2;
        const carried = ({ itemRps, replicas }) => Math.min(itemRps * replicas, rps * itemsPerRequest);
        const [best] = sized.filter(fits).sort((a, b) => carried(b) - carried(a) || b.accuracy - a.accuracy);
        const { variant, cores, batch, replicas } = best ?? sized[0];
        return [name, { variant, cores, batch, replicas }];
      });
      return Object.fromEntries(chosen);
    };
  },
};
