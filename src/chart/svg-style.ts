/** The style of charts. Colours are custom properties, so that a page may set its own. */

/** Light and dark, by the reader's preference. Every rule is confined to charts. */
export const HISTORY_CSS = `
.history-chart{--chart-ink:#1f2328;--chart-faint:#6e7781;--chart-grid:#d0d7de;--chart-line:#0969da;--chart-permits:#1a7f37;--chart-restricts:#bc4c00;--chart-upper:var(--chart-permits);--chart-lower:var(--chart-restricts);--chart-high:var(--chart-permits);--chart-low:var(--chart-restricts);--chart-unknown:#afb8c1;--chart-ground:transparent;font:12px ui-sans-serif,system-ui,sans-serif}
@media (prefers-color-scheme:dark){.history-chart{--chart-ink:#e6edf3;--chart-faint:#8d96a0;--chart-grid:#30363d;--chart-line:#58a6ff;--chart-permits:#3fb950;--chart-restricts:#f0883e;--chart-unknown:#6e7681}}
.history-chart .ground{fill:var(--chart-ground)}
.history-chart text{fill:var(--chart-faint)}
.history-chart .empty{fill:var(--chart-ink)}
.history-chart .grid{stroke:var(--chart-grid);stroke-width:1}
.history-chart .line{fill:none;stroke:var(--chart-line);stroke-width:1.5;stroke-linejoin:round}
.history-chart .spread{fill:var(--chart-line);opacity:.25}
.history-chart .point{fill:var(--chart-line)}
.history-chart .bound{stroke-width:1;stroke-dasharray:6 3}
.history-chart .upper{stroke:var(--chart-upper)}
.history-chart .lower{stroke:var(--chart-lower);stroke-dasharray:2 3}
.history-chart text.upper-label{fill:var(--chart-upper)}
.history-chart text.lower-label{fill:var(--chart-lower)}
.history-chart .high{fill:var(--chart-high)}
.history-chart .low{fill:var(--chart-low)}
.history-chart .unknown{fill:var(--chart-unknown)}
.history-chart.low-is-permissive{--chart-high:var(--chart-restricts);--chart-low:var(--chart-permits);--chart-upper:var(--chart-restricts);--chart-lower:var(--chart-permits)}
.history-chart .crossing{stroke:var(--chart-ink);stroke-width:1}
`;
