/** How the page looks: the reader's own fonts and colours, figures in columns, a row on a phone as a small card. */
import { createHash } from 'node:crypto';

export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --line: #d8dee4; --paper: #fff; --soft: #f6f8fa; --link: #0b5cad; --warn: #8a4600 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --dim: #9aa4af; --line: #353c45; --paper: #14171b; --soft: #1c2127; --link: #79b8ff; --warn: #f0b26b }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100% }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; letter-spacing: -.01em; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
p { max-width: 42rem; margin: .6rem 0 }
a { color: var(--link); text-underline-offset: .15em }
nav, .dim, caption, footer { color: var(--dim); font-size: .875rem }
nav a { margin-right: .75rem }
.warn { color: var(--warn) }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .9375rem; font-variant-numeric: tabular-nums lining-nums }
caption { text-align: left; caption-side: bottom; padding-top: .5rem }
th, td { text-align: left; padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline }
th { font-size: .8125rem; font-weight: 600; color: var(--dim); white-space: nowrap }
th:last-child, td:last-child { padding-right: 0 }
td { overflow-wrap: break-word }
.w { overflow-wrap: anywhere; min-width: 8rem }
.n { text-align: right; white-space: nowrap }
.t { white-space: nowrap }
form { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: end; margin: 1rem 0; padding: 1rem; background: var(--soft); border-radius: .5rem }
label { display: block; font-size: .8125rem; color: var(--dim); flex: 1 1 9rem }
label.wide { flex-basis: 20rem }
input, button { font: inherit; font-variant-numeric: tabular-nums; color: inherit; width: 100%; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--paper) }
button { width: auto; padding-inline: 1.25rem; font-weight: 600; cursor: pointer }
:is(a, input, button):focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 1rem 0 }
dt { color: var(--dim) }
dd { margin: 0; overflow-wrap: anywhere }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem }
@media (max-width: 44rem) {
  body { padding: 1rem 1rem 3rem }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
  table, tbody, caption { display: block }
  tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line) }
  td { display: grid; grid-template-columns: 7.5rem 1fr; gap: .5rem; padding: .1rem 0; border: 0 }
  td::before { content: attr(data-label); color: var(--dim); font-size: .8125rem }
  td { white-space: normal; overflow-wrap: anywhere }
  .n { text-align: left }
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .5rem }
}
@media print { form, nav { display: none } }
`;

/** Allows this style and nothing else: no script, no image, no frame, no form to elsewhere. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');
