// Renders the chart as Helm does, where there is no Helm: the same template engine and the same functions, as far as the
// chart uses them. A request comes on stdin, the answer goes to stdout, both as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/ghodss/yaml"
)

type values = map[string]interface{}

type request struct {
	Chart       string // the chart's directory
	Values      values // go over those of values.yaml
	Release     string
	Namespace   string
	KubeVersion string // such as v1.30.0
	APIVersions []string
}

type manifest struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type answer struct {
	Manifests []manifest `json:"manifests"`
	Notes     string     `json:"notes"`
}

type kubeVersion struct{ Version, Major, Minor string }

func (v kubeVersion) String() string     { return v.Version }
func (v kubeVersion) GitVersion() string { return v.Version }

type versionSet []string

func (set versionSet) Has(version string) bool {
	for _, one := range set {
		if one == version {
			return true
		}
	}
	return false
}

type capabilities struct {
	KubeVersion kubeVersion
	APIVersions versionSet
}

// Files of the chart outside templates/, by their path in it.
type files map[string]string

func (f files) Get(name string) string { return f[name] }

func main() {
	var in request
	err := json.NewDecoder(os.Stdin).Decode(&in)
	if err == nil {
		var out answer
		if out, err = render(in); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(in request) (answer, error) {
	all, err := readFiles(in.Chart)
	if err != nil {
		return answer{}, err
	}
	chart, defaults := values{}, values{}
	if err := yaml.Unmarshal([]byte(all["Chart.yaml"]), &chart); err != nil {
		return answer{}, fmt.Errorf("Chart.yaml: %w", err)
	}
	if err := yaml.Unmarshal([]byte(all["values.yaml"]), &defaults); err != nil {
		return answer{}, fmt.Errorf("values.yaml: %w", err)
	}
	root := values{
		"Chart":  capitalised(chart),
		"Values": merge(defaults, in.Values),
		"Release": values{
			"Name": in.Release, "Namespace": in.Namespace, "Service": "Helm",
			"IsInstall": true, "IsUpgrade": false, "Revision": 1,
		},
		"Capabilities": capabilities{versionOf(in.KubeVersion), in.APIVersions},
		"Files":        all,
	}
	return execute(chart["name"].(string), all, root)
}

func execute(chart string, all files, root values) (answer, error) {
	engine := template.New("chart").Option("missingkey=zero")
	engine.Funcs(functions(engine))
	var names []string
	for name, text := range all {
		if !strings.HasPrefix(name, "templates/") {
			continue
		}
		if _, err := engine.New(path.Join(chart, name)).Parse(text); err != nil {
			return answer{}, err
		}
		names = append(names, name)
	}
	sort.Strings(names)
	out := answer{Manifests: []manifest{}}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue // only definitions for other templates
		}
		full := path.Join(chart, name)
		root["Template"] = values{"Name": full, "BasePath": path.Join(chart, "templates")}
		text, err := executeOne(engine, full, root)
		switch {
		case err != nil:
			return answer{}, err
		case path.Base(name) == "NOTES.txt":
			out.Notes = text
		case strings.TrimSpace(text) != "":
			out.Manifests = append(out.Manifests, manifest{name, text})
		}
	}
	return out, nil
}

func executeOne(engine *template.Template, name string, data interface{}) (string, error) {
	var text strings.Builder
	err := engine.ExecuteTemplate(&text, name, data)
	return strings.ReplaceAll(text.String(), "<no value>", ""), err // as Helm does, for a missing key
}

// functions is sprig less what Helm takes away, and what Helm adds.
func functions(engine *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	delete(known, "env")
	delete(known, "expandenv")
	known["include"] = func(name string, data interface{}) (string, error) { return executeOne(engine, name, data) }
	known["tpl"] = func(text string, data interface{}) (string, error) {
		inner, err := template.Must(engine.Clone()).New("tpl").Parse(text)
		if err != nil {
			return "", err
		}
		return executeOne(inner, "tpl", data)
	}
	known["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return value, errors.New(message)
		}
		return value, nil
	}
	known["fail"] = func(message string) (string, error) { return "", errors.New(message) }
	known["lookup"] = func(apiVersion, kind, namespace, name string) values { return values{} }
	known["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	known["fromYaml"] = func(text string) values {
		out := values{}
		if err := yaml.Unmarshal([]byte(text), &out); err != nil {
			out["Error"] = err.Error() // so that templates can ask for it, as with Helm
		}
		return out
	}
	return known
}

// merge gives defaults with what is said otherwise; null takes a default away.
func merge(defaults, over values) values {
	out := values{}
	for key, value := range defaults {
		out[key] = value
	}
	for key, value := range over {
		below, isMap := value.(values)
		base, wasMap := out[key].(values)
		switch {
		case value == nil:
			delete(out, key)
		case isMap && wasMap:
			out[key] = merge(base, below)
		default:
			out[key] = value
		}
	}
	return out
}

func versionOf(version string) kubeVersion {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return kubeVersion{"v" + strings.TrimPrefix(version, "v"), parts[0], parts[1]}
}

// capitalised has Chart.yaml's fields under the names that templates know them by.
func capitalised(chart values) values {
	out := values{}
	for key, value := range chart {
		out[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return out
}

func readFiles(root string) (files, error) {
	all := files{}
	err := filepath.Walk(root, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		relative, _ := filepath.Rel(root, name)
		all[filepath.ToSlash(relative)] = string(text)
		return err
	})
	return all, err
}
