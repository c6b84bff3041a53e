import { render } from "solid-js/web";
import "../ui/base.css";
import "./console.css";
import { Console } from "./Console";

const root = document.getElementById("app");
if (root) render(() => <Console />, root);
