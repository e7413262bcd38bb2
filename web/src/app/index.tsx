// The dashboard.

import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";

import { render } from "preact";

import { App } from "./app";
import { begin as route } from "./router";
import { begin as recognise } from "./session";

const root = document.querySelector<HTMLElement>("#app");
if (root === null) throw new Error("the page lacks #app");
route();
void recognise();
render(<App />, root);
