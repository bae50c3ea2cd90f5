import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/shell.css';
import './style/overview.css';
import './style/charts.css';
import './style/decisions.css';
import './style/tools.css';
import './style/narrow.css';
import { followHash } from './state/route.js';
import { followServer } from './state/store.js';
import { followTheme } from './state/theme.js';
import { Page } from './view/page.js';

followTheme();
followHash();
followServer();
render(<Page />, document.getElementById('page') as HTMLElement);
