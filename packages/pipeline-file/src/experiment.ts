/** Entry `@equipoise/pipeline-file/experiment`: experiment grids. Apart, because it loads the forecasters. */
export type { ExperimentGrid, GridLoad } from './experiment/experiment-grid.js';
export { type ExperimentFileResult, loadExperimentFile } from './experiment/load-experiment-file.js';
