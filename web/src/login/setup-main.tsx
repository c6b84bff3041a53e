import { render } from "solid-js/web";
import "../ui/base.css";
import "./login.css";
import { Setup } from "./Setup";

const root = document.getElementById("app");
if (root) render(() => <Setup />, root);
