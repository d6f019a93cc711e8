// Command cyclonus prints the cases of cyclonus, a conformance suite for NetworkPolicy, as JSON: for each step of a case the
// pods, namespaces and policies that there are, and what cyclonus says of each flow between two pods. No cluster is asked: what it says
// comes from its own evaluation of the policies.
//
// Its only argument, which may be absent, is a file: a JSON object of the addresses that pods have, by NAMESPACE/NAME. Blocks of addresses in
// policies are then those of these pods.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sort"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// What cyclonus starts its pods with by default.
var (
	namespaces = []string{"x", "y", "z"}
	pods       = []string{"a", "b", "c"}
	ports      = []int{80, 81}
	protocols  = []v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP}
)

type testCase struct {
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Steps []step   `json:"steps"`
}

type step struct {
	Namespaces map[string]map[string]string `json:"namespaces"`
	Pods       []pod                        `json:"pods"`
	Policies   []*networking.NetworkPolicy  `json:"policies"`
	Flows      []flow                       `json:"flows"`
}

type pod struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`
	Address   string            `json:"address"`
	Ports     []port            `json:"ports"`
}

type port struct {
	Name     string      `json:"name"`
	Protocol v1.Protocol `json:"protocol"`
	Port     int         `json:"port"`
}

// flow names pods as NAMESPACE/NAME.
type flow struct {
	From     string      `json:"from"`
	To       string      `json:"to"`
	Protocol v1.Protocol `json:"protocol"`
	Port     int         `json:"port"`
	Ingress  bool        `json:"ingress"`
	Egress   bool        `json:"egress"`
	Combined bool        `json:"combined"`
}

func main() {
	log.SetFlags(0)
	// Cyclonus logs where the cases are to be.
	output := os.Stdout
	os.Stdout = os.Stderr
	addresses, err := addresses(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	if err := run(output, addresses); err != nil {
		log.Fatal(err)
	}
}

func addresses(arguments []string) (map[string]string, error) {
	if len(arguments) == 0 {
		return nil, nil
	}
	written, err := os.ReadFile(arguments[0])
	if err != nil {
		return nil, err
	}
	var told map[string]string
	return told, json.Unmarshal(written, &told)
}

func run(output io.Writer, addresses map[string]string) error {
	_, resources, err := newCluster(addresses)
	if err != nil {
		return err
	}
	anyPod, err := resources.GetPod("z", "c")
	if err != nil {
		return err
	}
	cases := generator.NewTestCaseGenerator(true, anyPod.IP, namespaces, nil, nil).GenerateTestCases()
	told := make([]testCase, 0, len(cases))
	for _, it := range cases {
		steps, err := stepsOf(it, addresses)
		if err != nil {
			return fmt.Errorf("%s: %w", it.Description, err)
		}
		tags := it.Tags.Keys()
		sort.Strings(tags)
		told = append(told, testCase{Name: it.Description, Tags: tags, Steps: steps})
	}
	return json.NewEncoder(output).Encode(told)
}

func newCluster(addresses map[string]string) (kube.IKubernetes, *probe.Resources, error) {
	cluster := kube.NewMockKubernetes(1)
	resources, err := probe.NewDefaultResources(cluster, namespaces, pods, ports, protocols, nil, 1, false, "")
	if err != nil {
		return nil, nil, err
	}
	for _, it := range resources.Pods {
		if address, ok := addresses[it.Namespace+"/"+it.Name]; ok {
			it.IP = address
		}
	}
	return cluster, resources, nil
}

func stepsOf(it *generator.TestCase, addresses map[string]string) ([]step, error) {
	cluster, resources, err := newCluster(addresses)
	if err != nil {
		return nil, err
	}
	state := &connectivity.TestCaseState{Kubernetes: cluster, Resources: resources}
	var steps []step
	for _, written := range it.Steps {
		for _, action := range written.Actions {
			if err := act(state, action); err != nil {
				return nil, err
			}
		}
		told, err := tell(state, written.Probe)
		if err != nil {
			return nil, err
		}
		steps = append(steps, told)
	}
	return steps, nil
}

func act(state *connectivity.TestCaseState, action *generator.Action) error {
	switch {
	case action.CreatePolicy != nil:
		return state.CreatePolicy(action.CreatePolicy.Policy)
	case action.UpdatePolicy != nil:
		return state.UpdatePolicy(action.UpdatePolicy.Policy)
	case action.DeletePolicy != nil:
		return state.DeletePolicy(action.DeletePolicy.Namespace, action.DeletePolicy.Name)
	case action.CreateNamespace != nil:
		return state.CreateNamespace(action.CreateNamespace.Namespace, action.CreateNamespace.Labels)
	case action.SetNamespaceLabels != nil:
		return state.SetNamespaceLabels(action.SetNamespaceLabels.Namespace, action.SetNamespaceLabels.Labels)
	case action.DeleteNamespace != nil:
		return state.DeleteNamespace(action.DeleteNamespace.Namespace)
	case action.ReadNetworkPolicies != nil:
		return state.ReadPolicies(action.ReadNetworkPolicies.Namespaces)
	case action.CreatePod != nil:
		return state.CreatePod(action.CreatePod.Namespace, action.CreatePod.Pod, action.CreatePod.Labels)
	case action.SetPodLabels != nil:
		return state.SetPodLabels(action.SetPodLabels.Namespace, action.SetPodLabels.Pod, action.SetPodLabels.Labels)
	case action.DeletePod != nil:
		return state.DeletePod(action.DeletePod.Namespace, action.DeletePod.Pod)
	}
	return errors.New("an action that is none of those known")
}

// tell says what there is and what cyclonus makes of it.
func tell(state *connectivity.TestCaseState, config *generator.ProbeConfig) (step, error) {
	told := step{Namespaces: state.Resources.Namespaces, Policies: append([]*networking.NetworkPolicy{}, state.Policies...)}
	for _, it := range state.Resources.Pods {
		told.Pods = append(told.Pods, tellPod(it))
	}
	policies := matcher.BuildNetworkPolicies(true, state.Policies)
	table := probe.NewSimulatedRunner(policies, &probe.JobBuilder{}).RunProbeForConfig(config, state.Resources)
	for _, key := range table.Wrapped.Keys() {
		for _, result := range table.Get(key.From, key.To).JobResults {
			switch result.Combined {
			case probe.ConnectivityAllowed, probe.ConnectivityBlocked:
			default:
				return told, fmt.Errorf("%s to %s cannot be probed: %s", key.From, key.To, result.Combined)
			}
			told.Flows = append(told.Flows, flow{
				From:     key.From,
				To:       key.To,
				Protocol: result.Job.Protocol,
				Port:     result.Job.ResolvedPort,
				Ingress:  *result.Ingress == probe.ConnectivityAllowed,
				Egress:   *result.Egress == probe.ConnectivityAllowed,
				Combined: result.Combined == probe.ConnectivityAllowed,
			})
		}
	}
	return told, nil
}

func tellPod(it *probe.Pod) pod {
	told := pod{Namespace: it.Namespace, Name: it.Name, Labels: it.Labels, Address: it.IP}
	for _, container := range it.Containers {
		told.Ports = append(told.Ports, port{Name: container.PortName, Protocol: container.Protocol, Port: container.Port})
	}
	return told
}
